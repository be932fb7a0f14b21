using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// y = s·x where x &gt; 0, otherwise s·a·x, with s = √(2/(1 + a²)), so that a variance of 1 stays 1. The slope a is solved
/// for the depth of the network: two orthogonal inputs leave the last layer with the correlation <paramref name="Target"/>
/// instead of almost 1. For weights of variance 1/fan-in (<c>lecun_normal</c>, orthogonal) and biases of 0; then networks
/// of a hundred layers train without normalization and shortcuts. Tailored activation transformation, Zhang, Botev and
/// Martens (2022). A depth up to 12 reaches 0.9 with no slope and gives a scaled ReLU.
/// </summary>
/// <param name="Depth">Nonlinear layers on the longest path through the network, from 1 to 100000. Where residual sums
/// w·x + √(1 − w²)·F(x) shorten the way, <see cref="ActivationTailoring"/> solves for the network's own map; its slope goes
/// in as <paramref name="NegativeSlope"/>.</param>
/// <param name="Target">The correlation C_f(0) at the end; above 0, below 1.</param>
/// <param name="NegativeSlope">The slope a itself, from 0 to 1; depth and target then do not count.</param>
public sealed record TailoredLeakyRelu(int Depth = 50, double Target = 0.9, double? NegativeSlope = null) : Activation
{
    public override string Kind => "tailored_leaky_relu";

    // Without init: a copy with another depth would keep the slope.
    public int Depth { get; } = Depth;

    public double Target { get; } = Target;

    public double? NegativeSlope { get; } = NegativeSlope;

    /// <summary>The slope a below 0 beside the scale; NaN if depth or target are out of range.</summary>
    public double SlopeBelow { get; } = NegativeSlope ?? ActivationTailoring.LeakyReluSlope(Depth, Target);

    /// <summary>The scale s = √(2/(1 + a²)).</summary>
    public double Scale => Math.Sqrt(2 / (1 + SlopeBelow * SlopeBelow));

    public override bool GradientReadsOutput => true;

    public override double Evaluate(double x) => Scale * (x > 0 ? x : SlopeBelow * x);

    public override double Slope(double x) => Scale * (x > 0 ? 1 : SlopeBelow);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (NegativeSlope is { } slope && !(slope >= 0 && slope <= 1))
        {
            throw scope.BadAttribute("negative_slope", slope, "from 0 to 1");
        }
        if (NegativeSlope is null && Depth is < 1 or > ActivationTailoring.MostLayers)
        {
            throw scope.BadAttribute("depth", Depth, FormattableString.Invariant($"from 1 to {ActivationTailoring.MostLayers}"));
        }
        if (NegativeSlope is null && !(Target > 0 && Target < 1))
        {
            throw scope.BadAttribute("target", Target, "above 0 and below 1");
        }
        return base.Infer(scope);
    }

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(new Forward<T>(T.CreateTruncating(Scale), T.CreateTruncating(Scale * SlopeBelow)), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(new Backward<T>(T.CreateTruncating(Scale), T.CreateTruncating(Scale * SlopeBelow)), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T>(T above, T below) : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T>
        {
            V bounded = V.Select(V.LessThanOrEqual(x, V.Zero) & V.Equal(V.Broadcast(below), V.Zero), V.Zero, x); // 0·∞ is NaN, a ReLU is not
            return bounded * V.Select(V.GreaterThan(x, V.Zero), V.Broadcast(above), V.Broadcast(below));
        }
    }

    /// <summary>y has the sign of x, or is 0 where x is not above 0.</summary>
    private readonly struct Backward<T>(T above, T below) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V y) where V : struct, ISimd<V, T> =>
            upstream * V.Select(V.GreaterThan(y, V.Zero), V.Broadcast(above), V.Broadcast(below));
    }
}

/// <summary>The verb of <see cref="TailoredLeakyRelu"/>.</summary>
public static class TailoredLeakyReluLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="depth">Nonlinear layers on the longest path through the network.</param>
    /// <param name="target">The correlation of orthogonal inputs at the end.</param>
    /// <param name="negativeSlope">The slope itself, in place of depth and target.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor TailoredLeakyRelu(this NetworkCursor network, int depth = 50, double target = 0.9, double? negativeSlope = null, string? name = null) =>
        network.Then(new TailoredLeakyRelu(depth, target, negativeSlope), name);
}
