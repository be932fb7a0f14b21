using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Rectified linear unit max(x, 0). At 0 the slope is 0. A unit whose output is 0 for every sample is dead: no
/// gradient reaches its weights, which the count of zeros in a tensor's statistics shows. Nair and Hinton (2010);
/// Glorot, Bordes and Bengio (2011).
/// </summary>
public sealed record Relu : Activation
{
    public override string Kind => "relu";

    public override bool GradientReadsOutput => true;

    public override double RecommendedWeightGain => double.Sqrt(2);

    public override double Evaluate(double x) => Math.Max(x, 0);

    public override double Slope(double x) => x <= 0 ? 0 : 1;

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(default(Forward<T>), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(default(Backward<T>), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T> : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => V.Max(x, V.Zero);
    }

    private readonly struct Backward<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V y) where V : struct, ISimd<V, T> => V.Select(V.LessThanOrEqual(y, V.Zero), V.Zero, upstream);
    }
}

/// <summary>The verb of <see cref="Relu"/>.</summary>
public static class ReluLayer
{
    public static NetworkCursor Relu(this NetworkCursor network, string? name = null) => network.Then(new Relu(), name);
}
