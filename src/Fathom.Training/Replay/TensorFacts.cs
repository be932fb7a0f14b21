using System.Globalization;

namespace Fathom.Training.Replay;

/// <summary>Range and non-finite elements of one tensor, with where they are.</summary>
/// <param name="Name">The value's name.</param>
/// <param name="Shape">Extents.</param>
public sealed record TensorFacts(string Name, int[] Shape)
{
    public long Count { get; private init; }

    public long NaN { get; private init; }

    public long PositiveInfinity { get; private init; }

    public long NegativeInfinity { get; private init; }

    /// <summary>Least finite element; NaN if there is none.</summary>
    public double Min { get; private init; } = double.NaN;

    /// <summary>Largest finite element; NaN if there is none.</summary>
    public double Max { get; private init; } = double.NaN;

    /// <summary>Place of <see cref="Min"/>, row-major; −1 if there is none.</summary>
    public int MinAt { get; private init; } = -1;

    public int MaxAt { get; private init; } = -1;

    /// <summary>Place of the first NaN or infinity; −1 if all are finite.</summary>
    public int FirstBad { get; private init; } = -1;

    /// <summary>What stands there; NaN if all are finite.</summary>
    public double FirstBadValue { get; private init; } = double.NaN;

    public long NonFinite => NaN + PositiveInfinity + NegativeInfinity;

    public bool IsFinite => NonFinite == 0;

    /// <summary>Looks at a tensor.</summary>
    public static TensorFacts Of(string name, int[] shape, ReadOnlySpan<float> elements)
    {
        long nan = 0, positive = 0, negative = 0;
        (int minAt, int maxAt, int bad) = (-1, -1, -1);
        for (int i = 0; i < elements.Length; i++)
        {
            float x = elements[i];
            if (float.IsFinite(x))
            {
                minAt = minAt < 0 || x < elements[minAt] ? i : minAt;
                maxAt = maxAt < 0 || x > elements[maxAt] ? i : maxAt;
                continue;
            }
            bad = bad < 0 ? i : bad;
            nan += float.IsNaN(x) ? 1 : 0;
            positive += float.IsPositiveInfinity(x) ? 1 : 0;
            negative += float.IsNegativeInfinity(x) ? 1 : 0;
        }
        return new TensorFacts(name, shape)
        {
            Count = elements.Length,
            NaN = nan,
            PositiveInfinity = positive,
            NegativeInfinity = negative,
            Min = minAt < 0 ? double.NaN : elements[minAt],
            Max = maxAt < 0 ? double.NaN : elements[maxAt],
            MinAt = minAt,
            MaxAt = maxAt,
            FirstBad = bad,
            FirstBadValue = bad < 0 ? double.NaN : elements[bad],
        };
    }

    /// <summary>A place as indices of each axis.</summary>
    public int[] Indices(int place)
    {
        int[] indices = new int[Shape.Length];
        for (int axis = Shape.Length - 1; axis >= 0; axis--)
        {
            (place, indices[axis]) = Math.DivRem(place, Math.Max(1, Shape[axis]));
        }
        return indices;
    }

    /// <summary>A place such as <c>[2, 5]</c>; empty for a scalar.</summary>
    public string At(int place) => Shape.Length == 0 ? "" : $"[{string.Join(", ", Indices(place).Select(index => index.ToString(CultureInfo.InvariantCulture)))}]";
}
