using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// min(max(<paramref name="Gradient"/>·x + 1/2, 0), 1), a sigmoid of three straight pieces. At both bounds the slope is 0. Courbariaux,
/// Bengio and David (2015), BinaryConnect, section 2.3.
/// </summary>
/// <param name="Gradient">Slope between the bounds, above 0: 1/6 as in PyTorch and Keras 3, 0.2 as in Keras 2.</param>
public sealed record HardSigmoid(double Gradient = 1.0 / 6) : Activation
{
    public override string Kind => "hard_sigmoid";

    /// <summary>The bounds themselves, where the slope is 0.</summary>
    public override SaturationRegion? Saturation => new(0, 1);

    public override bool GradientReadsOutput => true;

    public override ImmutableArray<double> Kinks => [-0.5 / Gradient, 0.5 / Gradient];

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!(Gradient > 0))
        {
            throw scope.BadAttribute("gradient", Gradient, "above 0");
        }
        return base.Infer(scope);
    }

    public override double Evaluate(double x) => Math.Clamp(Gradient * x + 0.5, 0, 1);

    public override double Slope(double x) => Evaluate(x) is 0 or 1 ? 0 : Gradient;

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(new Forward<T>(T.CreateTruncating(Gradient)), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(new Backward<T>(T.CreateTruncating(Gradient)), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T>(T slope) : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> =>
            V.Min(V.Max(x * V.Broadcast(slope) + V.Broadcast(T.CreateTruncating(0.5)), V.Zero), V.Broadcast(T.One));
    }

    private readonly struct Backward<T>(T slope) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V y) where V : struct, ISimd<V, T>
        {
            V outside = V.LessThanOrEqual(y, V.Zero) | V.GreaterThanOrEqual(y, V.Broadcast(T.One));
            return V.Select(outside, V.Zero, upstream * V.Broadcast(slope));
        }
    }
}

/// <summary>The verb of <see cref="HardSigmoid"/>.</summary>
public static class HardSigmoidLayer
{
    public static NetworkCursor HardSigmoid(this NetworkCursor network, double gradient = 1.0 / 6, string? name = null) => network.Then(new HardSigmoid(gradient), name);
}
