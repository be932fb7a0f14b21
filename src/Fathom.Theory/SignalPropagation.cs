using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// Theory as an interpreter of the graph: carries moments forward and gradients back without allocating a weight. An
/// op's own moment rule is used where there is one, a Gaussian integral for an activation, and otherwise the op's
/// kernel is run on a small random batch, which marks the node as <see cref="PredictionSource.Sampled"/>.
/// </summary>
public static class SignalPropagation
{
    /// <summary>Predicts signal and gradient at every node.</summary>
    /// <param name="forward">The network; with or without a loss at its end.</param>
    /// <param name="input">Moments of the data, for every real input.</param>
    /// <param name="options">Assumptions; null for the defaults.</param>
    /// <exception cref="GraphException">The graph has no real output to start from.</exception>
    public static PropagationPrediction Predict(Graph forward, DataMoments input, PredictionOptions? options = null) =>
        Predict(forward, forward.Inputs.ToDictionary(node => node.Name, _ => input), options);

    /// <summary>Predicts signal and gradient at every node, with moments for each input by its name.</summary>
    /// <inheritdoc cref="Predict(Graph, DataMoments, PredictionOptions?)"/>
    public static PropagationPrediction Predict(Graph forward, IReadOnlyDictionary<string, DataMoments> inputs, PredictionOptions? options = null)
    {
        options ??= PredictionOptions.Default;
        options.Validate();
        Value seed = Seed(forward);
        ForwardSweep sweep = new(options, inputs, new LayerReaders(forward));
        Dictionary<Node, NodePrediction> nodes = sweep.Run(forward);
        (Dictionary<Value, GradientMoments> gradients, List<RecurrentPrediction> recurrent) = BackwardSweep.Run(forward, seed, nodes, sweep.Samples, options);
        return new PropagationPrediction(forward, options, nodes, gradients, recurrent);
    }

    /// <summary>The value at which the gradient starts: the graph's output, or what enters the loss.</summary>
    internal static Value Seed(Graph graph)
    {
        Value output = graph.Output;
        while (output.Node.Op.IsLoss)
        {
            output = output.Node.Inputs[0];
        }
        return output.Type.Kind == ElementKind.Real
            ? output
            : throw new GraphException($"{output}: expected an output of real numbers to start the gradient from, given {output.Type}");
    }
}

/// <summary>Moments from the data to the output.</summary>
internal sealed class ForwardSweep
{
    /// <summary>Beyond this a mean square says no more than that float has overflowed (1e77 would do).</summary>
    private const double Most = 1e300;

    private readonly Dictionary<Node, NodePrediction> nodes = [];
    private readonly ElementwiseMerge merge;
    private readonly StructureRules rules;
    private readonly ResidualStreams streams;
    private readonly Dictionary<IntegralKey, ActivationMoments> integrals = [];
    private readonly Dictionary<IntegralKey, PairTable> tables = [];

    private readonly PredictionOptions options;
    private readonly IReadOnlyDictionary<string, DataMoments> inputs;
    private readonly LayerReaders readers;

    public ForwardSweep(PredictionOptions options, IReadOnlyDictionary<string, DataMoments> inputs, LayerReaders readers)
    {
        (this.options, this.inputs, this.readers) = (options, inputs, readers);
        merge = new ElementwiseMerge((function, leaf) => Integrate(function, Forward(leaf), SphereOf(leaf)));
        rules = new StructureRules((activation, x) => Integrate(activation, x));
        streams = new ResidualStreams(merge, Forward, options.Seed);
    }

    /// <summary>What was measured of the nodes that had to be sampled.</summary>
    public Dictionary<Node, SampledNode> Samples { get; } = [];

    public Dictionary<Node, NodePrediction> Run(Graph graph)
    {
        foreach (Node node in graph.Nodes)
        {
            if (node.Forward is null)
            {
                nodes[node] = Merged(node, Predict(node));
            }
        }
        return nodes;
    }

    private NodePrediction Predict(Node node) => node.Op switch
    {
        Source => Given(node),
        { IsLoss: true } => new(node, PredictionSource.Loss, Repeat(node, new Moments(double.NaN, double.NaN, double.NaN)), NoFactors(node), null),
        RecurrentLayer => RecurrentSweep.Forward(node, Inputs(node)) ?? BySampling(node, null),
        BatchNorm when rules.OfNormalizedActivation(node, nodes, options.BatchSize) is { } found => ByRule(node, found.Rule) with { SlopeShare = found.SlopeShare },
        { Moments: { } rule } => ByRule(node, rule),
        Activation activation when node.Inputs.Length == 1 && streams.Below(node) is { } elements => OfStream(node, activation, elements),
        Activation activation when node.Inputs.Length == 1 => ByQuadrature(node, Integrate(activation, Inputs(node)[0], SphereOf(node.Inputs[0]))),
        _ when rules.OfLikeActivation(node.Op, Inputs(node)[0]) is { } moments => ByQuadrature(node, moments) with { Rule = rules.OfSlope(node.Op) },
        _ when rules.Of(node, nodes) is { } found => ByRule(node, found.Rule) with { SlopeShare = found.SlopeShare },
        _ => BySampling(node, null),
    };

    /// <summary>The prediction corrected where a value meets itself in a node.</summary>
    private NodePrediction Merged(Node node, NodePrediction prediction)
    {
        if (prediction is { Source: PredictionSource.Sampled, Activation: not null })
        {
            return prediction; // its draws are remembered, and what reads it begins with them
        }
        ImmutableArray<MergedTerm> terms = merge.Of(node);
        bool startsStream = node.Op is Activation && node.Inputs[0].Node.Op is Add && readers.Of(node.Output).Any(reader => reader.Op is Add);
        prediction = prediction with
        {
            IsInner = merge.IsInner(node.Output),
            Slopes = startsStream ? streams.Draws(node.Inputs[0]).SquaresOf(((Activation)node.Op).Slope) : null,
        };
        return terms.IsEmpty ? prediction
            : prediction with { Merged = terms, Outputs = prediction.Outputs.SetItem(0, Bound(ElementwiseMerge.Forward(terms, Forward))) };
    }

    private Moments Forward(Value value) => nodes[value.Node].Outputs[value.Index];

    private NodePrediction Given(Node node) => new(node, PredictionSource.Given, Repeat(node, node.Op switch
    {
        Input { Type.Kind: ElementKind.Index } => new Moments(double.NaN, double.NaN, double.NaN),
        Input => (inputs.TryGetValue(node.Name, out DataMoments data)
            ? data : throw new GraphException($"{node.Name} (input): theory was given no moments for this input"))
            .ToMoments(node.Outputs[0].Shape, PositionAxes.Of(readers, node.Output)),
        Parameter parameter => OfInitializer(parameter),
        Constant constant => new Moments(constant.Number, constant.Number * constant.Number, 1),
        _ => throw new GraphException($"{node.Name} ({node.Op.Kind}): theory does not know this source"),
    }), [], null);

    /// <summary>Every sample meets the same parameter: its correlation is 1.</summary>
    private static Moments OfInitializer(Parameter parameter)
    {
        Initializer initializer = parameter.Initializer;
        double mean = initializer.Mean;
        return new Moments(mean, initializer.Variance(parameter.Fans) + mean * mean, 1);
    }

    private NodePrediction ByRule(Node node, MomentRule rule)
    {
        MomentScope scope = new(node, Inputs(node), options.BatchSize);
        Moments output = Bound(rule.Forward(scope));
        double[] factors = new double[node.Inputs.Length];
        bool known = true;
        for (int i = 0; i < factors.Length; i++)
        {
            bool carries = node.Inputs[i].Type.Kind == ElementKind.Real && node.Inputs[i].Node.Op is not Source;
            factors[i] = IsData(node, i) ? rule.Backward(scope, i) : double.NaN;
            known &= !carries || !double.IsNaN(factors[i]);
        }
        if (double.IsNaN(output.SecondMoment) || !known)
        {
            return BySampling(node, double.IsNaN(output.SecondMoment) ? null : output);
        }
        return new(node, PredictionSource.Rule, Repeat(node, output), [.. factors], null) { Rule = rule };
    }

    /// <summary>An activation of a sum that is not Gaussian.</summary>
    private NodePrediction OfStream(Node node, Activation activation, Population elements)
    {
        streams.Keep(node, elements.Under(activation.Evaluate));
        return ByQuadrature(node, elements.Through(activation, Inputs(node)[0])) with { Source = PredictionSource.Sampled, Slopes = elements.SquaresOf(activation.Slope) };
    }

    private NodePrediction ByQuadrature(Node node, ActivationMoments moments)
    {
        Moments output = Bound(moments.ForwardOf(Inputs(node)[0].Positions));
        ImmutableArray<double> factors = [.. node.Inputs.Select((_, i) => i == 0 ? moments.SlopeMoment : double.NaN)];
        return new(node, PredictionSource.Quadrature, Repeat(node, output), factors, moments);
    }

    /// <summary>In a deep chain the moments settle; equal ones to ten digits need no second integral.</summary>
    private ActivationMoments Integrate(Activation activation, Moments x, int sphere = 0)
    {
        // Of correlations seven digits are as many as the integrals over two variables have.
        IntegralKey key = new(activation, Round(x.Mean), Round(x.SecondMoment), Math.Round(x.Correlation, 7),
            Math.Round(x.CorrelationOf(MomentPair.Positions), 7), Math.Round(x.CorrelationOf(MomentPair.Both), 7), x.Positions is { IsFlat: false }, sphere);
        if (!integrals.TryGetValue(key, out ActivationMoments moments))
        {
            // Six digits of the length are as many, too, and let the layers of a slowly settling network share a table.
            IntegralKey alone = new(activation, Round(x.Mean, 6), Round(x.SecondMoment, 6), 0, 0, 0, false, sphere);
            if (!tables.TryGetValue(alone, out PairTable? table))
            {
                tables[alone] = table = new PairTable(activation, new ActivationInput(x, sphere));
            }
            integrals[key] = moments = ActivationMoments.Of(activation, new ActivationInput(x, sphere), table);
        }
        return moments;
    }

    private readonly record struct IntegralKey(Activation Activation, double Mean, double SecondMoment, double Samples, double Positions, double Both, bool Profiled, int Sphere);

    /// <summary>The batch's values of a channel lie on a sphere behind a batch normalization of Gaussian values; 0 where they do not.</summary>
    private int SphereOf(Value value) => value.Node.Op is BatchNorm && value.Node.Inputs[0].Node.Op is not Activation
        && nodes[value.Node].Output.Positions is null && options.BatchSize is >= 2 and <= SphereIntegral.MostDimensions ? options.BatchSize - 1 : 0;

    private NodePrediction BySampling(Node node, Moments? known)
    {
        SampledNode sample = NodeSampler.Sample(node, Inputs(node), options);
        Samples[node] = sample;
        ImmutableArray<Moments> outputs = known is { } moments ? Repeat(node, moments) : [.. sample.Outputs.Select(Bound)];
        ImmutableArray<double> factors = [.. sample.Factors.Select((factor, i) => IsData(node, i) ? factor : double.NaN)];
        return new(node, PredictionSource.Sampled, outputs, factors, null);
    }

    private Moments[] Inputs(Node node) => [.. node.Inputs.Select(input => nodes[input.Node].Outputs[input.Index])];

    private static bool IsData(Node node, int input) =>
        node.Inputs[input].Type.Kind == ElementKind.Real && node.Inputs[input].Node.Op is not Parameter;

    private static ImmutableArray<Moments> Repeat(Node node, Moments moments) => node.Outputs.Length == 1 ? [moments] : [.. Enumerable.Repeat(moments, node.Outputs.Length)];

    private static ImmutableArray<double> NoFactors(Node node) => node.Inputs.Length == 0 ? [] : [.. Enumerable.Repeat(double.NaN, node.Inputs.Length)];

    /// <summary>Keeps a length that has left the range of double from turning into NaN further on.</summary>
    private static Moments Bound(Moments moments)
    {
        if (moments.SecondMoment <= Most)
        {
            return moments with { Correlation = double.IsNaN(moments.Correlation) ? 1 : Math.Clamp(moments.Correlation, -1, 1) };
        }
        double mean = double.IsNaN(moments.Mean) ? 0 : Math.Clamp(moments.Mean, -Math.Sqrt(Most) / 2, Math.Sqrt(Most) / 2);
        return double.IsNaN(moments.SecondMoment) ? moments
            : moments with { Mean = mean, SecondMoment = Most, Correlation = double.IsNaN(moments.Correlation) ? 1 : Math.Clamp(moments.Correlation, -1, 1) };
    }

    private static double Round(double x, int digits = 10)
    {
        if (x == 0 || !double.IsFinite(x))
        {
            return x;
        }
        double unit = Math.Pow(10, Math.Floor(Math.Log10(Math.Abs(x))) - digits);
        return unit < 1e-290 ? x : Math.Round(x / unit) * unit;
    }
}
