using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>
/// The same elements with other axes behind the first: (N, …) to (N, target…). A view: output and input share their
/// memory.
/// </summary>
/// <param name="Target">The shape of one sample; one extent may be −1, which stands for what is left.</param>
public sealed record Reshape(ImmutableArray<int> Target) : Op
{
    public override string Kind => "reshape";

    public override bool IsView => true;

    public override MomentRule? Moments => ViewMoments.Rule;

    /// <summary>Ops are values: two targets of equal extents are equal.</summary>
    public bool Equals(Reshape? other) => other is not null && Target.AsSpan().SequenceEqual(other.Target.AsSpan());

    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (int extent in Target)
        {
            hash.Add(extent);
        }
        return hash.ToHashCode();
    }

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        scope.RequireRank(0, 1);
        Shape shape = scope.Shape(0);
        string target = $"({string.Join(", ", Target)})";
        if (Target.Any(extent => extent is < 1 and not -1) || Target.Count(extent => extent == -1) > 1)
        {
            throw scope.BadAttribute("target", target, "extents of 1 or more, of which one may be -1");
        }
        long features = 1;
        foreach (Dim dim in shape.Dims.AsSpan()[1..])
        {
            features = checked(features * dim.Size);
        }
        long known = Target.Where(extent => extent != -1).Aggregate(1L, (product, extent) => checked(product * extent));
        if (Target.Contains(-1) ? features % known != 0 : features != known)
        {
            throw scope.Error(FormattableString.Invariant($"an input whose samples fill {target}"), FormattableString.Invariant($"shape {shape} with {features} elements per sample"));
        }
        Dim[] dims = [shape[0], .. Target.Select(extent => new Dim(extent == -1 ? checked((int)(features / known)) : extent))];
        return [scope[0] with { Shape = new Shape([.. dims]) }];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        // A view: there is nothing to do.
    }

    public override void Differentiate(GradientScope scope) => ViewGradient.Contribute(scope);
}

/// <summary>The upstream gradient seen in the shape of the view's input. A view itself.</summary>
public sealed record ViewGradient(Shape Shape) : Op
{
    public override string Kind => "view_gradient";

    public override bool IsView => true;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        return [new TensorType(Shape)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        // A view: there is nothing to do.
    }

    internal static void Contribute(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new ViewGradient(scope.Input(0).Shape), "input", scope.Upstream));
        }
    }
}

/// <summary>The verb of <see cref="Reshape"/>.</summary>
public static class ReshapeLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="target">The shape of one sample; one extent may be −1.</param>
    public static NetworkCursor Reshape(this NetworkCursor network, params ReadOnlySpan<int> target) => network.Then(new Reshape([.. target]));
}
