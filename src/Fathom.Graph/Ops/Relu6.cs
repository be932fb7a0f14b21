using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// min(max(x, 0), 6). At both bounds the slope is 0. Krizhevsky (2010), Convolutional deep belief networks on
/// CIFAR-10.
/// </summary>
public sealed record Relu6 : Activation
{
    public override string Kind => "relu6";

    /// <summary>The upper bound; zeros, the lower one, are counted by themselves, as for ReLU.</summary>
    public override SaturationRegion? Saturation => new(double.NegativeInfinity, 6);

    public override bool GradientReadsOutput => true;

    public override ImmutableArray<double> Kinks => [0, 6];

    public override double RecommendedWeightGain => double.Sqrt(2);

    public override double Evaluate(double x) => Math.Clamp(x, 0, 6);

    public override double Slope(double x) => x <= 0 || x >= 6 ? 0 : 1;

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(default(Forward<T>), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(default(Backward<T>), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T> : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => V.Min(V.Max(x, V.Zero), V.Constant(6));
    }

    private readonly struct Backward<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V y) where V : struct, ISimd<V, T> =>
            V.Select(V.LessThanOrEqual(y, V.Zero) | V.GreaterThanOrEqual(y, V.Constant(6)), V.Zero, upstream);
    }
}

/// <summary>The verb of <see cref="Relu6"/>.</summary>
public static class Relu6Layer
{
    public static NetworkCursor Relu6(this NetworkCursor network, string? name = null) => network.Then(new Relu6(), name);
}
