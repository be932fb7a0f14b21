using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// x/(1 + |x|). Its slope 1/(1 + |x|)² falls off as a power of x, not exponentially as that of tanh. Glorot and
/// Bengio (2010), section 2.
/// </summary>
public sealed record Softsign : Activation
{
    public override string Kind => "softsign";

    /// <summary>Where the slope (1 − |y|)² has fallen below 6 % of its maximum.</summary>
    public override SaturationRegion? Saturation => new(-0.755, 0.755);

    public override bool GradientReadsOutput => false;

    public override double Evaluate(double x) => double.IsInfinity(x) ? Math.Sign(x) : x / (1 + Math.Abs(x));

    public override double Slope(double x) => 1 / ((1 + Math.Abs(x)) * (1 + Math.Abs(x)));

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(default(Forward<T>), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(default(Backward<T>), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T> : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T>
        {
            V denominator = V.Constant(1) + V.Abs(x);
            V infinite = V.Equal(denominator, V.Constant(double.PositiveInfinity));
            return V.Select(infinite, V.CopySign(V.Constant(1), x), x / denominator);
        }
    }

    private readonly struct Backward<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V x) where V : struct, ISimd<V, T>
        {
            V root = V.Constant(1) / (V.Constant(1) + V.Abs(x));
            return upstream * (root * root);
        }
    }
}

/// <summary>The verb of <see cref="Softsign"/>.</summary>
public static class SoftsignLayer
{
    public static NetworkCursor Softsign(this NetworkCursor network, string? name = null) => network.Then(new Softsign(), name);
}
