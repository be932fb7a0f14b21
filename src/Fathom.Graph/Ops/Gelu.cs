using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Gaussian error linear unit x·Φ(x), Φ the normal distribution function. Hendrycks and Gimpel (2016).
/// </summary>
/// <param name="Approximate">True for their form with tanh, false for the exact one.</param>
public sealed record Gelu(bool Approximate = false) : Activation
{
    private const double RootHalf = 0.70710678118654752440;
    private const double InverseRootTwoPi = 0.39894228040143267794;
    private const double TwoRootTwoOverPi = 1.59576912160573071176;
    private const double Cubic = 0.044715;

    public override string Kind => "gelu";

    public override bool GradientReadsOutput => false;

    public override ImmutableArray<double> Kinks => [];

    public override double RecommendedWeightGain => double.Sqrt(2);

    public override double Evaluate(double x)
    {
        double gate = Approximate ? Logistic(TwoRootTwoOverPi * (x + Cubic * x * x * x)) : NormalDistribution(x);
        return gate == 0 ? 0 : x * gate;
    }

    public override double Slope(double x)
    {
        if (!Approximate)
        {
            double density = InverseRootTwoPi * Math.Exp(-x * x / 2);
            return NormalDistribution(x) + (density == 0 ? 0 : x * density);
        }
        double z = TwoRootTwoOverPi * (x + Cubic * x * x * x);
        double bend = Logistic(z) * Logistic(-z);
        return Logistic(z) + (bend == 0 ? 0 : x * bend * TwoRootTwoOverPi * (1 + 3 * Cubic * x * x));
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        if (Approximate)
        {
            Elementwise.Map(default(TanhForward<T>), context.Input(0), context.Output(0), context.Pool);
        }
        else
        {
            Elementwise.Map(default(Forward<T>), context.Input(0), context.Output(0), context.Pool);
        }
    }

    public override void RunGradient<T>(in KernelContext<T> context)
    {
        if (Approximate)
        {
            Elementwise.Zip(default(TanhBackward<T>), context.Input(0), context.Input(1), context.Output(0), context.Pool);
        }
        else
        {
            Elementwise.Zip(default(Backward<T>), context.Input(0), context.Input(1), context.Output(0), context.Pool);
        }
    }

    private static double Logistic(double z) => 1 / (1 + Math.Exp(-z));

    private static double NormalDistribution(double x) => SimdMath.Erfc<Vec1<double>, double>(new Vec1<double>(-x * RootHalf)).Value / 2;

    /// <summary>x·gate, but 0 where the gate is shut: at −∞ the product would be NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Gated<V, T>(V x, V gate) where V : struct, ISimd<V, T> where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        V.Select(V.Equal(gate, V.Zero), V.Zero, x * gate);

    private readonly struct Forward<T> : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        // With a = |x|, x·Φ(x) is x·(1 − Φ(−a)) above 0 and −a·Φ(−a) below: no digits are lost in the lower tail.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T>
        {
            V tail = SimdMath.NormalTail<V, T>(x, out V a, out _);
            return V.Fma(-a, tail, V.MaxNative(x, V.Zero));
        }
    }

    private readonly struct Backward<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        // φ is even: the slope at −a is Φ(−a) − a·φ(a), and that at a what is left to 1.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V x) where V : struct, ISimd<V, T>
        {
            V tail = SimdMath.NormalTail<V, T>(x, out V a, out V gauss);
            V lower = V.Fma(a * V.Constant(-InverseRootTwoPi), gauss, tail);
            return upstream * V.Select(V.LessThan(x, V.Zero), lower, V.Constant(1) - lower);
        }
    }

    /// <summary>½(1 + tanh z) = σ(2z), which keeps its digits in the lower tail.</summary>
    private readonly struct TanhForward<T> : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T>
        {
            V z = V.Constant(TwoRootTwoOverPi) * V.Fma(V.Constant(Cubic) * x * x, x, x);
            return Gated<V, T>(x, SimdMath.Sigmoid<V, T>(z));
        }
    }

    private readonly struct TanhBackward<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V x) where V : struct, ISimd<V, T>
        {
            V square = x * x;
            V z = V.Constant(TwoRootTwoOverPi) * V.Fma(V.Constant(Cubic) * square, x, x);
            V gate = SimdMath.Sigmoid<V, T>(z);
            V bend = gate * (V.Constant(1) - gate);
            V steepness = V.Constant(TwoRootTwoOverPi) * V.Fma(V.Constant(3 * Cubic), square, V.Constant(1));
            return upstream * (gate + Gated<V, T>(x * steepness, bend));
        }
    }
}

/// <summary>The verb of <see cref="Gelu"/>.</summary>
public static class GeluLayer
{
    public static NetworkCursor Gelu(this NetworkCursor network, bool approximate = false, string? name = null) => network.Then(new Gelu(approximate), name);
}
