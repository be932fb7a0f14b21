using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>x where x &gt; 0, otherwise <paramref name="NegativeSlope"/>·x, also at 0. Maas, Hannun and Ng (2013).</summary>
/// <param name="NegativeSlope">Slope below 0; Keras' default is 0.3 (0.2 in version 2), PyTorch's 0.01.</param>
public sealed record LeakyRelu(double NegativeSlope = 0.01) : Activation
{
    public override string Kind => "leaky_relu";

    /// <summary>The output has the input's sign unless the slope is negative, and then x itself need not be kept.</summary>
    public override bool GradientReadsOutput => NegativeSlope >= 0;

    public override double RecommendedWeightGain => double.Sqrt(2 / (1 + NegativeSlope * NegativeSlope));

    public override double Evaluate(double x) => x > 0 ? x : NegativeSlope * x;

    public override double Slope(double x) => x > 0 ? 1 : NegativeSlope;

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(new Forward<T>(T.CreateTruncating(NegativeSlope)), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(new Backward<T>(T.CreateTruncating(NegativeSlope)), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T>(T negativeSlope) : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => V.Select(V.GreaterThan(x, V.Zero), x, x * V.Broadcast(negativeSlope));
    }

    private readonly struct Backward<T>(T negativeSlope) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V saved) where V : struct, ISimd<V, T> =>
            V.Select(V.GreaterThan(saved, V.Zero), upstream, upstream * V.Broadcast(negativeSlope));
    }
}

/// <summary>The verb of <see cref="LeakyRelu"/>.</summary>
public static class LeakyReluLayer
{
    public static NetworkCursor LeakyRelu(this NetworkCursor network, double negativeSlope = 0.01, string? name = null) => network.Then(new LeakyRelu(negativeSlope), name);
}
