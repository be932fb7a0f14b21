using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Scaled ELU: scale·x where x &gt; 0, otherwise scale·alpha·(eˣ − 1). The two constants make mean 0 and variance 1 a
/// fixed point of a layer with LeCun-normal weights. Klambauer et al. (2017), equation 14.
/// </summary>
public sealed record Selu : Activation
{
    public override string Kind => "selu";

    /// <summary>Where the slope y + scale·alpha has fallen below 6 % of its maximum.</summary>
    public override SaturationRegion? Saturation => new(-0.94 * Scale * Alpha, double.PositiveInfinity);

    public override bool GradientReadsOutput => false;

    public const double Alpha = 1.6732632423543772848;

    public const double Scale = 1.0507009873554804934;

    public override double Evaluate(double x) => x > 0 ? Scale * x : Scale * Alpha * SimdMath.Expm1<Vec1<double>, double>(new Vec1<double>(x)).Value;

    public override double Slope(double x) => x > 0 ? Scale : Scale * Alpha * Math.Exp(x);

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(default(Forward<T>), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(default(Backward<T>), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T> : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> =>
            V.Select(V.GreaterThan(x, V.Zero), V.Constant(Scale) * x, V.Constant(Scale * Alpha) * SimdMath.Expm1<V, T>(x));
    }

    private readonly struct Backward<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V x) where V : struct, ISimd<V, T> =>
            upstream * V.Select(V.GreaterThan(x, V.Zero), V.Constant(Scale), V.Constant(Scale * Alpha) * V.Exp(x));
    }
}

/// <summary>The verb of <see cref="Selu"/>.</summary>
public static class SeluLayer
{
    public static NetworkCursor Selu(this NetworkCursor network, string? name = null) => network.Then(new Selu(), name);
}
