using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>x·tanh(ln(1 + eˣ)). Misra (2019).</summary>
public sealed record Mish : Activation
{
    public override string Kind => "mish";

    public override bool GradientReadsOutput => false;

    public override ImmutableArray<double> Kinks => [];

    /// <summary>Beyond this the function is x to the last bit of a double, and e²ˣ is still far from a float's range.</summary>
    private const double Linear = 20;

    /// <summary>tanh(ln(1 + e)) = n/(n + 2) with n = e² + 2e: nothing cancels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Gate<V, T>(V e) where V : struct, ISimd<V, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        V n = e * (e + V.Constant(2));
        return n / (n + V.Constant(2));
    }

    public override double RecommendedWeightGain => double.Sqrt(2);

    public override double Evaluate(double x)
    {
        double gate = Gate<Vec1<double>, double>(new Vec1<double>(Math.Exp(Math.Min(x, Linear)))).Value;
        return gate == 0 ? 0 : x * gate;
    }

    public override double Slope(double x)
    {
        double e = Math.Exp(Math.Min(x, Linear));
        double gate = Gate<Vec1<double>, double>(new Vec1<double>(e)).Value;
        double bend = (1 - gate) * (1 + gate) * e / (1 + e);
        return gate + (bend == 0 ? 0 : Math.Min(x, Linear) * bend);
    }

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(default(Forward<T>), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(default(Backward<T>), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T> : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T>
        {
            V gate = Gate<V, T>(V.Exp(V.Min(x, V.Constant(Linear))));
            return V.Select(V.Equal(gate, V.Zero), V.Zero, x * gate); // 0·∞ would be NaN at −∞, where the limit is 0
        }
    }

    private readonly struct Backward<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V x) where V : struct, ISimd<V, T>
        {
            V z = V.Min(x, V.Constant(Linear));
            V e = V.Exp(z);
            V gate = Gate<V, T>(e);
            // 1 − gate² = 4(n + 1)/(n + 2)² with n = e² + 2e, and n + 1 = (1 + e)², so times σ(x) = e/(1 + e) it is:
            V rest = V.Constant(1) / V.Fma(e, e + V.Constant(2), V.Constant(2));
            V bend = V.Constant(4) * (e * (V.Constant(1) + e)) * (rest * rest);
            return upstream * V.Select(V.Equal(bend, V.Zero), gate, V.Fma(z, bend, gate));
        }
    }
}

/// <summary>The verb of <see cref="Mish"/>.</summary>
public static class MishLayer
{
    public static NetworkCursor Mish(this NetworkCursor network, string? name = null) => network.Then(new Mish(), name);
}
