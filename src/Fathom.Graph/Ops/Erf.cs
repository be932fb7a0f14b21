using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Error function erf(x) = 2/√π ∫₀ˣ e^(−t²) dt, a sigmoid whose Gaussian averages have closed forms. Williams (1998),
/// Computation with infinite neural networks.
/// </summary>
public sealed record Erf : Activation
{
    public override string Kind => "erf";

    /// <summary>Where the slope, 2/√π·e^(−x²), has fallen below 6 % of its maximum.</summary>
    public override SaturationRegion? Saturation => new(-0.982, 0.982);

    public override bool GradientReadsOutput => false;

    public override ImmutableArray<double> Kinks => [];

    private const double TwoOverRootPi = 1.12837916709551257390;

    public override double Evaluate(double x) => SimdMath.Erf<Vec1<double>, double>(new Vec1<double>(x)).Value;

    public override double Slope(double x) => TwoOverRootPi * Math.Exp(-x * x);

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(default(Forward<T>), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(default(Backward<T>), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T> : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.Erf<V, T>(x);
    }

    private readonly struct Backward<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V x) where V : struct, ISimd<V, T> => upstream * (V.Constant(TwoOverRootPi) * V.Exp(-(x * x)));
    }
}

/// <summary>The verb of <see cref="Erf"/>.</summary>
public static class ErfLayer
{
    public static NetworkCursor Erf(this NetworkCursor network, string? name = null) => network.Then(new Erf(), name);
}
