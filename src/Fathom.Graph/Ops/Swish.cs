using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>x·σ(βx): linear for β = 0, ReLU for β → ∞. Ramachandran et al. (2017).</summary>
/// <param name="Beta">Sharpness β of the gate.</param>
public sealed record Swish(double Beta = 1) : Activation
{
    public override string Kind => "swish";

    public override bool GradientReadsOutput => false;

    public override ImmutableArray<double> Kinks => [];

    public override double RecommendedWeightGain => double.Sqrt(2);

    public override double Evaluate(double x)
    {
        double gate = Gate(x);
        return gate == 0 ? 0 : x * gate;
    }

    public override double Slope(double x)
    {
        double gate = Gate(x);
        double bend = gate * Gate(-x);
        return bend == 0 ? gate : gate + Beta * x * bend;
    }

    private double Gate(double x) => 1 / (1 + Math.Exp(-Beta * x));

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(new Forward<T>(T.CreateTruncating(Beta)), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(new Backward<T>(T.CreateTruncating(Beta)), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    internal readonly struct Forward<T>(T beta) : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T>
        {
            V gate = SimdMath.Sigmoid<V, T>(x * V.Broadcast(beta));
            return V.Select(V.Equal(gate, V.Zero), V.Zero, x * gate); // 0·∞ would be NaN at −∞, where the limit is 0
        }
    }

    internal readonly struct Backward<T>(T beta) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V x) where V : struct, ISimd<V, T>
        {
            V z = x * V.Broadcast(beta);
            V gate = SimdMath.Sigmoid<V, T>(z);
            V bend = gate * (V.Constant(1) - gate);
            return upstream * V.Select(V.Equal(bend, V.Zero), gate, V.Fma(z, bend, gate));
        }
    }
}

/// <summary>The verb of <see cref="Swish"/>.</summary>
public static class SwishLayer
{
    public static NetworkCursor Swish(this NetworkCursor network, double beta = 1, string? name = null) => network.Then(new Swish(beta), name);
}
