using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Hyperbolic tangent tanh(x) = (eˣ − e^−x)/(eˣ + e^−x). Its slope 1 − tanh²(x) is 1 at 0 only, so it too shrinks
/// gradients, but less than σ. LeCun et al. (1998), Efficient backprop, section 4.4.
/// </summary>
public sealed record Tanh : Activation
{
    public override string Kind => "tanh";

    /// <summary>Where the slope 1 − y² has fallen below 6 % of its maximum.</summary>
    public override SaturationRegion? Saturation => new(-0.97, 0.97);

    public override bool GradientReadsOutput => true;

    public override ImmutableArray<double> Kinks => [];

    public override double Evaluate(double x) => Math.Tanh(x);

    public override double Slope(double x)
    {
        double sech = 1 / Math.Cosh(x);
        return sech * sech;
    }

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(default(Forward<T>), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(default(Backward<T>), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T> : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.Tanh<V, T>(x);
    }

    private readonly struct Backward<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V y) where V : struct, ISimd<V, T> => upstream * ((V.Constant(1) - y) * (V.Constant(1) + y));
    }
}

/// <summary>The verb of <see cref="Tanh"/>.</summary>
public static class TanhLayer
{
    public static NetworkCursor Tanh(this NetworkCursor network, string? name = null) => network.Then(new Tanh(), name);
}
