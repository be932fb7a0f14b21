using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Logistic sigmoid σ(x) = 1 / (1 + e^−x). Its slope σ(1 − σ) is at most 1/4, which is why deep chains of it vanish.
/// Rumelhart, Hinton and Williams (1986); Hochreiter (1991) on the vanishing.
/// </summary>
public sealed record Sigmoid : Activation
{
    public override string Kind => "sigmoid";

    /// <summary>Where the slope has fallen below 6 % of its maximum, as for tanh beyond ±0.97.</summary>
    public override SaturationRegion? Saturation => new(0.015, 0.985);

    public override bool GradientReadsOutput => true;

    public override double Evaluate(double x) => x >= 0 ? 1 / (1 + Math.Exp(-x)) : Math.Exp(x) / (1 + Math.Exp(x));

    public override double Slope(double x)
    {
        double y = Evaluate(Math.Abs(x));
        double rest = Evaluate(-Math.Abs(x));
        return y * rest;
    }

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(default(Forward<T>), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(default(Backward<T>), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T> : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.Sigmoid<V, T>(x);
    }

    private readonly struct Backward<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V y) where V : struct, ISimd<V, T> => upstream * (y * (V.Broadcast(T.One) - y));
    }
}

/// <summary>The verb of <see cref="Sigmoid"/>.</summary>
public static class SigmoidLayer
{
    public static NetworkCursor Sigmoid(this NetworkCursor network, string? name = null) => network.Then(new Sigmoid(), name);
}
