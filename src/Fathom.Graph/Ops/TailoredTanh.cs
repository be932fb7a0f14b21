using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// y = γ·(tanh(α·x + β) + δ), with the four numbers solved for the depth of the network by Deep Kernel Shaping: mean 0 and
/// variance 1 stay, deviations from variance 1 keep their size, and the correlation map of the whole network has the slope
/// <paramref name="MaxSlope"/> at 1, so that inputs that differ a little neither merge nor fly apart. For weights of
/// variance 1/fan-in (<c>lecun_normal</c>, orthogonal) and biases of 0. Martens et al. (2021).
/// </summary>
/// <param name="Depth">Nonlinear layers on the longest path through the network, from 1 to 100000. Where residual sums
/// w·x + √(1 − w²)·F(x) shorten the way, <see cref="ActivationTailoring.LayerSlope"/> solves for the network's own map; its
/// result goes in as <paramref name="LayerSlope"/>.</param>
/// <param name="MaxSlope">The largest slope C_f'(1) of any subnetwork; above 1, at most 4.</param>
/// <param name="LayerSlope">The slope C'(1) of this layer alone, above 1 and at most 4; depth and maximum then do not count.</param>
public sealed record TailoredTanh(int Depth = 50, double MaxSlope = 1.5, double? LayerSlope = null) : Activation
{
    public override string Kind => "tailored_tanh";

    // Without init: a copy with another depth would keep the shape.
    public int Depth { get; } = Depth;

    public double MaxSlope { get; } = MaxSlope;

    public double? LayerSlope { get; } = LayerSlope;

    /// <summary>The four numbers; NaN if an attribute is out of range.</summary>
    public TanhTailoring Tailoring { get; } = ActivationTailoring.Tanh(LayerSlope ?? Math.Pow(MaxSlope, 1.0 / Depth));

    /// <summary>Where tanh itself has lost all but 6 % of its slope.</summary>
    public override SaturationRegion? Saturation =>
        new(Tailoring.OutputScale * (Tailoring.OutputShift - 0.97), Tailoring.OutputScale * (Tailoring.OutputShift + 0.97));

    /// <summary>From y, which is shifted and scaled, the slope of a saturated unit could not be told from 0 or below.</summary>
    public override bool GradientReadsOutput => false;

    public override ImmutableArray<double> Kinks => [];

    public override double Evaluate(double x)
    {
        double u = Tailoring.InputScale * x;
        double t = Math.Tanh(Tailoring.InputShift);
        double bent = Math.Tanh(u);
        double aboveShift = NearlyLinear ? (1 - t * t) * bent / (1 + t * bent) : Math.Tanh(u + Tailoring.InputShift) - t;
        return Tailoring.OutputScale * (aboveShift + (t + Tailoring.OutputShift));
    }

    /// <summary>True where α is small and γ large, so that tanh(αx + β) + δ would lose its digits before γ multiplies it.</summary>
    private bool NearlyLinear => Tailoring.InputScale < 0.5;

    public override double Slope(double x)
    {
        double sech = 1 / Math.Cosh(Tailoring.InputScale * x + Tailoring.InputShift);
        return Tailoring.OutputScale * Tailoring.InputScale * sech * sech;
    }

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        string allowed = FormattableString.Invariant($"above 1 and at most {ActivationTailoring.MostLayerSlope}");
        if (LayerSlope is { } slope && !(slope > 1 && slope <= ActivationTailoring.MostLayerSlope))
        {
            throw scope.BadAttribute("layer_slope", slope, allowed);
        }
        if (LayerSlope is null && Depth is < 1 or > ActivationTailoring.MostLayers)
        {
            throw scope.BadAttribute("depth", Depth, FormattableString.Invariant($"from 1 to {ActivationTailoring.MostLayers}"));
        }
        if (LayerSlope is null && !(MaxSlope > 1 && MaxSlope <= ActivationTailoring.MostLayerSlope))
        {
            throw scope.BadAttribute("max_slope", MaxSlope, allowed);
        }
        return base.Infer(scope);
    }

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(new Forward<T>(Tailoring, NearlyLinear), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(new Backward<T>(Tailoring), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    /// <summary>
    /// y = γ·(tanh(αx + β) − t) + γ·(t + δ), t = tanh β. A small α has the difference by the addition theorem, (1 −
    /// t²)·tanh(αx)/(1 + t·tanh(αx)), which keeps its digits; that form needs t well below 1, as it then is.
    /// </summary>
    private readonly struct Forward<T>(TanhTailoring tailoring, bool nearlyLinear) : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private readonly T inputScale = T.CreateTruncating(tailoring.InputScale);
        private readonly T inputShift = T.CreateTruncating(tailoring.InputShift);
        private readonly T t = T.CreateTruncating(Math.Tanh(tailoring.InputShift));
        private readonly T shrunk = T.CreateTruncating(tailoring.OutputScale * (1 - Math.Tanh(tailoring.InputShift) * Math.Tanh(tailoring.InputShift)));
        private readonly T nearOffset = T.CreateTruncating(tailoring.OutputScale * (Math.Tanh(tailoring.InputShift) + tailoring.OutputShift));
        private readonly T outputScale = T.CreateTruncating(tailoring.OutputScale);
        private readonly T offset = T.CreateTruncating(tailoring.OutputScale * tailoring.OutputShift);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T>
        {
            if (!nearlyLinear)
            {
                V tanh = SimdMath.Tanh<V, T>(V.Fma(x, V.Broadcast(inputScale), V.Broadcast(inputShift)));
                return V.Fma(V.Broadcast(outputScale), tanh, V.Broadcast(offset));
            }
            V bent = SimdMath.Tanh<V, T>(x * V.Broadcast(inputScale));
            return V.Fma(V.Broadcast(shrunk), bent / V.Fma(V.Broadcast(t), bent, V.Constant(1)), V.Broadcast(nearOffset));
        }
    }

    /// <summary>φ' = γα/cosh²(u) = 4γα·e/(1 + e)² with u = αx + β and e = exp(−2|u|), which keeps its digits where tanh has saturated.</summary>
    private readonly struct Backward<T>(TanhTailoring tailoring) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private readonly T slope = T.CreateTruncating(4 * tailoring.OutputScale * tailoring.InputScale);
        private readonly T inputScale = T.CreateTruncating(tailoring.InputScale);
        private readonly T inputShift = T.CreateTruncating(tailoring.InputShift);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V x) where V : struct, ISimd<V, T>
        {
            V decay = V.Exp(V.Constant(-2) * V.Abs(V.Fma(x, V.Broadcast(inputScale), V.Broadcast(inputShift))));
            V opposite = V.Constant(1) + decay;
            return upstream * (V.Broadcast(slope) * (decay / (opposite * opposite)));
        }
    }
}

/// <summary>The verb of <see cref="TailoredTanh"/>.</summary>
public static class TailoredTanhLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="depth">Nonlinear layers on the longest path through the network.</param>
    /// <param name="maxSlope">The largest slope of a subnetwork's correlation map.</param>
    /// <param name="layerSlope">The slope of this layer's map, in place of depth and maximum.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor TailoredTanh(this NetworkCursor network, int depth = 50, double maxSlope = 1.5, double? layerSlope = null, string? name = null) =>
        network.Then(new TailoredTanh(depth, maxSlope, layerSlope), name);
}
