using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Exponential linear unit: x where x &gt; 0, otherwise <paramref name="Alpha"/>·(eˣ − 1). Clevert et al. (2016).
/// </summary>
/// <param name="Alpha">The limit at −∞ is −alpha; 0 or more.</param>
public sealed record Elu(double Alpha = 1) : Activation
{
    public override string Kind => "elu";

    /// <summary>Where the slope y + alpha has fallen below 6 % of its maximum.</summary>
    public override SaturationRegion? Saturation => new(0.06 * Math.Max(1, Alpha) - Alpha, double.PositiveInfinity);

    public override bool GradientReadsOutput => false;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!(Alpha >= 0 && double.IsFinite(Alpha)))
        {
            throw scope.BadAttribute("alpha", Alpha, "0 or more");
        }
        return base.Infer(scope);
    }

    public override double RecommendedWeightGain => double.Sqrt(2);

    public override double Evaluate(double x) => x > 0 ? x : Alpha * SimdMath.Expm1<Vec1<double>, double>(new Vec1<double>(x)).Value;

    public override double Slope(double x) => x > 0 ? 1 : Alpha * Math.Exp(x);

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(new Forward<T>(T.CreateTruncating(Alpha)), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(new Backward<T>(T.CreateTruncating(Alpha)), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T>(T alpha) : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => V.Select(V.GreaterThan(x, V.Zero), x, V.Broadcast(alpha) * SimdMath.Expm1<V, T>(x));
    }

    private readonly struct Backward<T>(T alpha) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V x) where V : struct, ISimd<V, T>
        {
            // From x and not from y, because y + alpha cancels where the gradient vanishes, which is what we want to see.
            V slope = V.Broadcast(alpha) * V.Exp(x);
            return V.Select(V.GreaterThan(x, V.Zero), upstream, upstream * slope);
        }
    }
}

/// <summary>The verb of <see cref="Elu"/>.</summary>
public static class EluLayer
{
    public static NetworkCursor Elu(this NetworkCursor network, double alpha = 1, string? name = null) => network.Then(new Elu(alpha), name);
}
