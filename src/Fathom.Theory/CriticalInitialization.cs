using Fathom.Graphs;
using Fathom.Graphs.Initialization;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// Starts each dense layer and convolution on the edge of chaos of the activation that reads it, where a gradient's mean
/// square is the same in every layer: χ1 = σw² E[φ'(√q z)²] = 1 at a fixed length q = σw² E[φ(√q z)²] + σb² (Poole et al.
/// 2016, Schoenholz et al. 2017). Var(weight) = σw² / fan-in, Var(bias) = σb². Layers that read the data, taken to have
/// mean square 1, have σw² = q − σb², so that the length is q from the start. A layer that no activation reads has σw² =
/// 1, σb² = 0. The theory is that of chains: where a normalisation or a residual connection sets the scale, it claims
/// nothing.
/// </summary>
/// <param name="Length">
/// The pre-activation's variance q to aim at, greater than 0. Where no critical point has this length, or only one from
/// which q drifts away (χq above 1), the nearest is taken.
/// </param>
/// <param name="BiasVariance">σb² in place of a length, 0 or more; null to leave it to the length.</param>
/// <param name="Orthogonal">
/// Orthogonal weights in place of Gaussian ones, for convolutions with out ≥ in delta-orthogonal ones: then not only the
/// mean square of the gradient is kept (Pennington et al. 2017, Xiao et al. 2018).
/// </param>
public sealed record CriticalInitialization(double Length = 1, double? BiasVariance = null, bool Orthogonal = false) : InitializationRule
{
    private const double LeastLength = 1e-6, MostLength = 1e6, Ratio = 1.02;

    /// <summary>Digits kept, so that the ReLU family has its exact 2/(1 + a²) in spite of quadrature.</summary>
    private const int Digits = 9;

    public override string Kind => "critical";

    public override Graph Apply(Graph graph)
    {
        if (!(Length > 0 && double.IsFinite(Length)))
        {
            throw Error(FormattableString.Invariant($"length is {Length}; it must be greater than 0 and finite"));
        }
        if (BiasVariance is { } given && !(given >= 0 && double.IsFinite(given)))
        {
            throw Error(FormattableString.Invariant($"bias_variance is {given}; it must be 0 or more and finite"));
        }
        LayerReaders readers = new(graph);
        Dictionary<(Activation, bool), CriticalPoint> points = [];
        return GraphRewriter.Rewrite(graph, (rewriter, node) =>
        {
            if (WeightLayers.WeightOf(node) is not { } weight)
            {
                return null;
            }
            CriticalPoint point = Point(node, readers, points);
            double weightVariance = ReadsData(node) ? Math.Round(point.Length - point.BiasVariance, Digits) : point.WeightVariance;
            Initializer weights = Weights(weight.Outputs[0].Shape, weightVariance);
            Initializer biases = point.BiasVariance > 0 ? new NormalInitializer(0, Math.Sqrt(point.BiasVariance)) : ConstantInitializer.Zeros;
            return rewriter.Copy(node, initializer: (slot, old) => slot switch
            {
                WeightLayers.Weight => weights,
                WeightLayers.Bias => biases,
                _ => old,
            });
        });
    }

    /// <summary>The critical point of an activation under these settings.</summary>
    /// <param name="activation">The function that reads the layer.</param>
    /// <param name="bias">Whether the layer adds a bias; if not, σb² is 0.</param>
    /// <exception cref="GraphException">The activation has no such critical point.</exception>
    public CriticalPoint PointOf(Activation activation, bool bias = true)
    {
        MeanField field = new(activation);
        if ((bias ? BiasVariance : 0) is { } biasVariance)
        {
            return AtBias(field, biasVariance)
                ?? throw Error(FormattableString.Invariant($"{activation.Kind} has no critical point at the bias variance {biasVariance}; give another bias_variance, or a length and a bias to every layer"));
        }
        for (double factor = 1; Length * factor <= MostLength || Length / factor >= LeastLength; factor *= Ratio)
        {
            if ((AtLength(field, Length * factor) ?? AtLength(field, Length / factor)) is { } point)
            {
                return point;
            }
        }
        throw Error($"{activation.Kind} has no critical point at which the length of its input stays; give a bias_variance, or take the rule lsuv");
    }

    private CriticalPoint? AtBias(MeanField field, double biasVariance)
    {
        if (field.CriticalWeightVariance(biasVariance) is not { } exact)
        {
            return null;
        }
        double weightVariance = Math.Round(exact, Digits);
        MeanFieldPoint end = field.FixedPoint(weightVariance, biasVariance, Length);
        // A critical point that no network reaches from its data helps nobody. At q = 0 any length is as good a start.
        double length = end.Length is > LeastLength and < MostLength ? end.Length : Length;
        return Math.Abs(end.Chi1 - 1) < 0.01 ? new CriticalPoint(weightVariance, biasVariance, length) : null;
    }

    /// <summary>The critical point of a length, if there is one and the length map leads to it.</summary>
    private CriticalPoint? AtLength(MeanField field, double length)
    {
        if (length is < LeastLength or > MostLength)
        {
            return null;
        }
        (double weight, double bias) = field.CriticalPoint(length);
        (weight, bias) = (Math.Round(weight, Digits), Math.Abs(bias) < 1e-8 * length ? 0 : Math.Round(bias, Digits + 3));
        bool stable = double.IsFinite(weight) && weight > 0 && bias >= 0 && field.ChiLength(length, weight) <= 1 + 1e-6;
        // A point may be stable from one side only, and a network starts at the length asked for.
        return stable && Math.Abs(Math.Log(field.FixedPoint(weight, bias, Length).Length / length)) < 0.05 ? new CriticalPoint(weight, bias, length) : null;
    }

    private CriticalPoint Point(Node layer, LayerReaders readers, Dictionary<(Activation, bool), CriticalPoint> points)
    {
        if (Reader(layer, readers) is not { } activation)
        {
            return new CriticalPoint(1, 0, 1);
        }
        bool bias = WeightLayers.HasBias(layer);
        if (!points.TryGetValue((activation, bias), out CriticalPoint point))
        {
            try
            {
                points[(activation, bias)] = point = PointOf(activation, bias);
            }
            catch (GraphException error)
            {
                throw new GraphException($"{error.Message}; needed by {layer.Name} ({layer.Op.Kind})");
            }
        }
        return point;
    }

    /// <summary>Whether the data reach a layer without weights or an activation on their way.</summary>
    private static bool ReadsData(Node layer)
    {
        Node at = layer;
        do
        {
            at = at.DataInputs.First().Node;
        }
        while (at.Op is not (Input or Activation) && !at.Parameters.Any() && at.DataInputs.Any());
        return at.Op is Input;
    }

    private Activation? Reader(Node layer, LayerReaders readers)
    {
        if (readers.ActivationAfter(layer) is { Op: Activation activation })
        {
            return activation is Linear ? null : activation;
        }
        return readers.Of(layer.Output) is not [{ } only] ? null : only.Op switch
        {
            PRelu learnt => learnt.AtInitialization,
            Maxout or Glu or SwiGlu => throw Error($"no critical point is known for {only.Op.Kind}, which reads {layer.Name}; take the rule lsuv"),
            _ => null,
        };
    }

    /// <summary>fan-in · E[w²] = σw², whichever way the weights are drawn.</summary>
    private Initializer Weights(Shape shape, double weightVariance)
    {
        if (!Orthogonal)
        {
            return new VarianceScaling(weightVariance, FanMode.In, WeightDistribution.Normal);
        }
        Fans fans = Fans.Of(shape);
        (double inputs, double outputs) = (fans.In / fans.Kernel, fans.Out / fans.Kernel);
        bool delta = shape.Rank > 2 && outputs >= inputs;
        Initializer unit = delta ? new DeltaOrthogonal() : new Orthogonal();
        double gain = Math.Sqrt(weightVariance / (fans.In * unit.Variance(fans)));
        return delta ? new DeltaOrthogonal(gain) : new Orthogonal(gain);
    }
}

/// <summary>A point on the edge of chaos.</summary>
/// <param name="WeightVariance">σw², the variance of a weight times fan-in.</param>
/// <param name="BiasVariance">σb².</param>
/// <param name="Length">q, the variance of a pre-activation that a chain keeps there.</param>
public readonly record struct CriticalPoint(double WeightVariance, double BiasVariance, double Length);
