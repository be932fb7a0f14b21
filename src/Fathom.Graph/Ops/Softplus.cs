using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// ln(1 + e^(βx))/β, a smooth ReLU; where βx is above the threshold it is x itself, as in PyTorch.
/// </summary>
/// <param name="Beta">Sharpness β; above 0.</param>
/// <param name="Threshold">From here on the function is taken for linear. At 20 that is a step of 2e-9.</param>
public sealed record Softplus(double Beta = 1, double Threshold = 20) : Activation
{
    public override string Kind => "softplus";

    /// <summary>Where the slope σ(βx) has fallen below 6 %: y = −ln(0.94)/β.</summary>
    public override SaturationRegion? Saturation => new(-Math.Log(0.94) / Beta, double.PositiveInfinity);

    public override bool GradientReadsOutput => false;

    public override ImmutableArray<double> Kinks => [];

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!(Beta > 0 && double.IsFinite(Beta)))
        {
            throw scope.BadAttribute("beta", Beta, "above 0");
        }
        return base.Infer(scope);
    }

    public override double RecommendedWeightGain => double.Sqrt(2);

    public override double Evaluate(double x)
    {
        double z = Beta * x;
        return z > Threshold ? x : SimdMath.Softplus<Vec1<double>, double>(new Vec1<double>(z)).Value / Beta;
    }

    public override double Slope(double x) => Beta * x > Threshold ? 1 : 1 / (1 + Math.Exp(-Beta * x));

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(new Forward<T>(T.CreateTruncating(Beta), T.CreateTruncating(Threshold)), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(new Backward<T>(T.CreateTruncating(Beta), T.CreateTruncating(Threshold)), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T>(T beta, T threshold) : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T>
        {
            V z = x * V.Broadcast(beta);
            V smooth = SimdMath.Softplus<V, T>(z) / V.Broadcast(beta);
            return V.Select(V.GreaterThan(z, V.Broadcast(threshold)), x, smooth);
        }
    }

    private readonly struct Backward<T>(T beta, T threshold) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V x) where V : struct, ISimd<V, T>
        {
            V z = x * V.Broadcast(beta);
            return V.Select(V.GreaterThan(z, V.Broadcast(threshold)), upstream, upstream * SimdMath.Sigmoid<V, T>(z));
        }
    }
}

/// <summary>The verb of <see cref="Softplus"/>.</summary>
public static class SoftplusLayer
{
    public static NetworkCursor Softplus(this NetworkCursor network, double beta = 1, double threshold = 20, string? name = null) => network.Then(new Softplus(beta, threshold), name);
}
