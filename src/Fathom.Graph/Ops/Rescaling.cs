using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>y = factor·x + offset with two fixed numbers, such as 1/255 for bytes. Input and output of one shape.</summary>
/// <param name="Factor">What x is multiplied by.</param>
/// <param name="Offset">What is added then.</param>
public sealed record Rescaling(double Factor, double Offset = 0) : Op
{
    public override string Kind => "rescaling";

    public override MomentRule? Moments => new(Forward, (_, _) => Factor * Factor);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!double.IsFinite(Factor))
        {
            throw scope.BadAttribute("factor", Factor, "finite");
        }
        if (!double.IsFinite(Offset))
        {
            throw scope.BadAttribute("offset", Offset, "finite");
        }
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(new Affine<T>(T.CreateTruncating(Factor), T.CreateTruncating(Offset)), context.Input(0), context.Output(0), context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new Rescaling(Factor), "input", scope.Upstream));
        }
    }

    private Moments Forward(MomentScope scope)
    {
        Moments x = scope.Inputs[0];
        double shift = 2 * Factor * Offset * x.Mean + Offset * Offset;
        return x.With(Factor * x.Mean + Offset, Factor * Factor * x.SecondMoment + shift, pair => Factor * Factor * x.Product(pair) + shift);
    }

    private readonly struct Affine<T>(T factor, T offset) : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => V.Fma(x, V.Broadcast(factor), V.Broadcast(offset));
    }
}

/// <summary>The verb of <see cref="Rescaling"/>.</summary>
public static class RescalingLayer
{
    public static NetworkCursor Rescaling(this NetworkCursor network, double factor, double offset = 0, string? name = null) =>
        network.Then(new Rescaling(factor, offset), name);
}
