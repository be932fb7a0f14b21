using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>Difference a − b of two tensors of one shape.</summary>
public sealed record Subtract : Op
{
    public override string Kind => "subtract";

    /// <summary>Of independent terms; see <see cref="Add"/>.</summary>
    public override MomentRule? Moments => new(Forward, static (_, _) => 1);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        scope.RequireKind(0, ElementKind.Real);
        scope.RequireKind(1, ElementKind.Real);
        scope.RequireShape(1, scope.Shape(0));
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Zip(default(Difference<T>), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Upstream);
        }
        if (scope.Needs(1))
        {
            scope.Contribute(1, scope.Emit(new Rescaling(-1), "right", scope.Upstream));
        }
    }

    private static Moments Forward(MomentScope scope)
    {
        (Moments a, Moments b) = (scope.Inputs[0], scope.Inputs[1]);
        double mixed = 2 * a.Mean * b.Mean;
        return Fathom.Graphs.Moments.Of(a.Mean - b.Mean, a.SecondMoment + b.SecondMoment - mixed, Add.Positions(scope.Inputs), pair => a.Product(pair) + b.Product(pair) - mixed);
    }

    private readonly struct Difference<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V a, V b) where V : struct, ISimd<V, T> => a - b;
    }
}

/// <summary>The verb of <see cref="Subtract"/>.</summary>
public static class SubtractLayer
{
    /// <summary>Subtracts another value of the same shape.</summary>
    public static NetworkCursor Subtract(this NetworkCursor network, NetworkCursor other, string? name = null) =>
        network.Then(new Subtract(), name, null, other);
}
