using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>Lists of axes as attributes: their value, their text, and their check against a shape.</summary>
internal static class AxisList
{
    public static int Hash(ImmutableArray<int> axes)
    {
        HashCode hash = default;
        foreach (int axis in axes)
        {
            hash.Add(axis);
        }
        return hash.ToHashCode();
    }

    public static string Text(ImmutableArray<int> axes) => $"({string.Join(", ", axes)})";

    /// <summary>True if an axis is in the list, which may count from the end.</summary>
    public static bool Contains(ImmutableArray<int> axes, int axis, int rank) => axes.AsSpan().Contains(axis) || axes.AsSpan().Contains(axis - rank);

    /// <summary>One bit for each axis of a shape that the list names; axes that grow with the batch may not be named.</summary>
    /// <exception cref="GraphException">No axis, one that does not exist, one that is named twice, or the batch's.</exception>
    public static uint Resolve(ShapeScope scope, ImmutableArray<int> axes)
    {
        Shape shape = scope.Shape(0);
        uint named = 0;
        foreach (int axis in axes)
        {
            int at = axis < 0 ? axis + shape.Rank : axis;
            if (at < 0 || at >= shape.Rank || shape[at].PerSample || (named & (1u << at)) != 0)
            {
                named = 0;
                break;
            }
            named |= 1u << at;
        }
        return named != 0 ? named : throw scope.BadAttribute("axes", Text(axes), $"one or more different axes behind the batch of shape {shape}");
    }
}
