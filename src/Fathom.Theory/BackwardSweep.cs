using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// Gradients from the output to the data and the parameters: mean squares in decades, so that no depth underflows.
/// Contributions of several readers add up as if they were uncorrelated, which holds at initialisation when at most
/// one of them has passed no zero-mean weights.
/// </summary>
internal sealed class BackwardSweep
{
    private readonly Dictionary<Node, NodePrediction> nodes;
    private readonly Dictionary<Node, SampledNode> samples;
    private readonly PredictionOptions options;
    private readonly Dictionary<Value, GradientMoments> gradients = [];

    /// <summary>Gradients of values that a merged node reads, which go on to its leaves by another way.</summary>
    private readonly Dictionary<Value, GradientMoments> passedOver = [];

    private readonly List<RecurrentPrediction> recurrent = [];

    private BackwardSweep(Dictionary<Node, NodePrediction> nodes, Dictionary<Node, SampledNode> samples, PredictionOptions options)
    {
        this.nodes = nodes;
        this.samples = samples;
        this.options = options;
    }

    /// <summary>The gradient of every value; a node's factors are replaced by those that it had for the gradient that arrived.</summary>
    public static (Dictionary<Value, GradientMoments> Gradients, List<RecurrentPrediction> Recurrent) Run(Graph graph, Value seed, Dictionary<Node, NodePrediction> nodes,
        Dictionary<Node, SampledNode> samples, PredictionOptions options)
    {
        BackwardSweep sweep = new(nodes, samples, options);
        Moments start = new Moments(0, 1, options.OutputGradientCorrelation).AsGradientOf(nodes[seed.Node].Outputs[seed.Index]);
        sweep.gradients[seed] = new GradientMoments(0, options.OutputGradientCorrelation, 0) { Positions = start.Positions };
        for (int i = graph.Nodes.Length - 1; i >= 0; i--)
        {
            if (nodes.TryGetValue(graph.Nodes[i], out NodePrediction? node) && node.Source is not (PredictionSource.Given or PredictionSource.Loss))
            {
                sweep.PullBack(node);
            }
        }
        foreach ((Value value, GradientMoments gradient) in sweep.passedOver)
        {
            sweep.Contribute(value, gradient);
        }
        sweep.recurrent.Reverse();
        return (sweep.gradients, sweep.recurrent);
    }

    private void PullBack(NodePrediction prediction)
    {
        Node node = prediction.Node;
        GradientMoments upstream = Arriving(node);
        if (passedOver.TryGetValue(node.Output, out GradientMoments over))
        {
            PassOver(prediction, over);
        }
        if (!upstream.Exists)
        {
            return;
        }
        // Where only the last state of a sequence is read, that is the layer's gradient, as if it were spread over y.
        gradients.TryAdd(node.Output, upstream);
        if (prediction.OverTime is not null)
        {
            PullBackOverTime(prediction, upstream);
            return;
        }
        GradientMomentScope scope = Scope(prediction, upstream);
        if (!prediction.Merged.IsEmpty)
        {
            foreach (MergedTerm term in prediction.Merged)
            {
                Moments gradient = ElementwiseMerge.Backward(term, scope.Upstream);
                Contribute(term.Leaf, Grown(upstream, gradient, nodes[term.Leaf.Node].Outputs[term.Leaf.Index], prediction.LogVariance));
            }
            PassOver(prediction, upstream);
            return;
        }
        for (int i = 0; i < node.Inputs.Length; i++)
        {
            if (node.Inputs[i].Node.Op is Parameter { Trainable: true })
            {
                Contribute(node.Inputs[i], OfParameter(prediction, scope, i, upstream));
            }
            else if (prediction.GradientFactors[i] > 0)
            {
                Contribute(node.Inputs[i], OfData(prediction, scope, i, upstream));
            }
        }
    }

    private void PullBackOverTime(NodePrediction prediction, GradientMoments upstream)
    {
        Node node = prediction.Node;
        GradientMoments?[] arriving = [.. Enumerable.Range(0, node.Outputs.Length).Select(output => gradients.TryGetValue(new Value(node, output), out GradientMoments gradient) ? gradient : (GradientMoments?)null)];
        (RecurrentBackward back, RecurrentPrediction overTime) = RecurrentSweep.Backward(prediction, RecurrentSweep.Arriving(node, arriving, upstream), upstream.Log10MeanSquare, options.BatchSize);
        recurrent.Add(overTime);
        foreach ((int input, double factor) in RecurrentSweep.Factors(node, back))
        {
            if (factor > 0 && node.Inputs[input].Node.Op is not Parameter { Trainable: false })
            {
                PositionMoments? positions = input == 0 ? RecurrentSweep.Positions(node, back) : null;
                Contribute(node.Inputs[input], new GradientMoments(upstream.Log10MeanSquare + Math.Log10(factor), back.OverSamples, upstream.LogVariance + prediction.LogVariance) { Positions = positions });
            }
        }
    }

    /// <summary>Keeps what arrives at the inner values that lead to a merged node, which is shown and does not flow on.</summary>
    private void PassOver(NodePrediction prediction, GradientMoments upstream)
    {
        for (int i = 0; i < prediction.Node.Inputs.Length; i++)
        {
            Value input = prediction.Node.Inputs[i];
            if (nodes[input.Node].IsInner && prediction.GradientFactors[i] > 0)
            {
                passedOver[input] = Sum(passedOver.GetValueOrDefault(input, GradientMoments.None),
                    upstream with { Log10MeanSquare = upstream.Log10MeanSquare + Math.Log10(prediction.GradientFactors[i]), Alignment = null });
            }
        }
    }

    private static GradientMoments Grown(GradientMoments upstream, Moments gradient, Moments value, double logVariance) =>
        double.IsFinite(Math.Log10(gradient.SecondMoment))
            ? new(upstream.Log10MeanSquare + Math.Log10(gradient.SecondMoment), gradient.Correlation, upstream.LogVariance + logVariance)
            {
                Positions = gradient.AsGradientOf(value).Positions,
            }
            : GradientMoments.None;

    private GradientMomentScope Scope(NodePrediction prediction, GradientMoments upstream)
    {
        Moments[] inputs = [.. prediction.Node.Inputs.Select(value => nodes[value.Node].Outputs[value.Index])];
        Moments pattern = upstream.Pattern.AsGradientOf(prediction.Output);
        return new GradientMomentScope(new MomentScope(prediction.Node, inputs, options.BatchSize), prediction.Output, pattern,
            upstream.Alignment ?? GradientAlignment.Independent(pattern, prediction.Output));
    }

    private GradientMoments OfData(NodePrediction prediction, GradientMomentScope scope, int input, GradientMoments upstream)
    {
        Moments value = scope.Inputs[input];
        (float[]? weights, double share) = Weighted(prediction, upstream);
        Moments gradient = Transported(prediction, scope, input, upstream.SlopeShare * share);
        GradientMoments result = Grown(upstream, gradient, value, prediction.LogVariance);
        if (!result.Exists)
        {
            return result;
        }
        result = result with { SlopeShare = prediction.SlopeShare, Weights = KeepsDraws(prediction.Node, input) ? weights : null };
        if (prediction.Activation is { } activation && prediction.Node.Op is Activation op && IsNormalized(prediction.Node.Inputs[input]))
        {
            result = result with { Alignment = activation.AlignmentOf(op, value, scope.Upstream) };
        }
        return result;
    }

    /// <summary>The gradient's weights at the draws of a stream behind an activation, and how much more of it is let through than if it were the same for all.</summary>
    private static (float[]? Weights, double Share) Weighted(NodePrediction prediction, GradientMoments upstream)
    {
        if (prediction.Slopes is not { } slopes)
        {
            return (upstream.Weights, 1);
        }
        if (upstream.Weights is not { } weights)
        {
            return (slopes, 1);
        }
        float[] product = new float[slopes.Length];
        System.Numerics.Tensors.TensorPrimitives.Multiply(slopes, weights, product);
        double share = System.Numerics.Tensors.TensorPrimitives.Sum<float>(product) / product.Length;
        if (share > 0)
        {
            System.Numerics.Tensors.TensorPrimitives.Divide(product, (float)share, product);
        }
        return (product, share);
    }

    /// <summary>From the activation to the sum that it reads, and on to the stream's activation before that.</summary>
    private bool KeepsDraws(Node node, int input) => node.Op is Activation ? node.Inputs[input].Node.Op is Add : node.Op is Add && nodes[node.Inputs[input].Node].Slopes is not null;

    /// <summary>Only a normalization asks how the gradient goes with the value, and only over rows so short that it matters.</summary>
    private static bool IsNormalized(Value value) => value.Node.Op is BatchNorm or GroupNorm or LayerNorm or RmsNorm;

    private Moments Transported(NodePrediction prediction, GradientMomentScope scope, int input, double slopeShare)
    {
        double factor = prediction.GradientFactors[input];
        if (prediction.Activation is null && prediction.Rule?.PullBack is { } rule && rule(scope, input) is { SecondMoment: not double.NaN } gradient)
        {
            return gradient;
        }
        if (prediction.Activation is not { SlopeMoment: > 0 } activation)
        {
            return scope.Upstream with { SecondMoment = factor };
        }
        Moments pattern = scope.Upstream;
        double level = slopeShare;
        PositionMoments? positions = pattern.Positions;
        if (scope.Inputs[input].Positions is { IsFlat: false } profile)
        {
            // Where the pre-activation is larger the slope differs; the gradient's own profile is weighted by it.
            (PositionMoments slopes, double mean) = profile.ToPower(activation.Powers.Slope);
            (positions, double overlap) = (positions ?? profile.Flattened()).TimesProfile(slopes);
            level *= mean * overlap;
        }
        return Moments.Of(0, activation.SlopeMoment * level, positions, pair => level * pattern.CorrelationOf(pair) * activation.SlopeProduct(pair));
    }

    /// <summary>The gradient at a node's outputs, as mean square per element of output 0.</summary>
    private GradientMoments Arriving(Node node)
    {
        GradientMoments total = GradientMoments.None;
        double size = node.Outputs[0].Shape.ElementsPerSample;
        for (int k = 0; k < node.Outputs.Length; k++)
        {
            if (gradients.TryGetValue(new Value(node, k), out GradientMoments gradient))
            {
                double share = node.Outputs[k].Shape.ElementsPerSample / size;
                total = Sum(total, gradient with { Log10MeanSquare = gradient.Log10MeanSquare + Math.Log10(share) });
            }
        }
        return total;
    }

    /// <summary>
    /// A weight's gradient is Σ δ·x over the batch's B samples and over the P positions at which the weight is used:
    /// E[g²] = B·P·E[δ²]·E[x²]·(1 + what pairs of uses have in common). For a bias x = 1.
    /// </summary>
    private GradientMoments OfParameter(NodePrediction prediction, GradientMomentScope scope, int input, GradientMoments upstream)
    {
        Node node = prediction.Node;
        double factor = prediction.Rule?.PullBack?.Invoke(scope, input).SecondMoment ?? double.NaN;
        if (double.IsNaN(factor) && ParameterRole.Of(node, input) is { } role)
        {
            Value data = node.DataInputs.First();
            Moments x = role.Multiplies ? nodes[data.Node].Outputs[data.Index] : new Moments(1, 1, 1);
            factor = options.BatchSize * role.Positions * x.SecondMoment * scope.Coherence(x);
        }
        if (double.IsNaN(factor))
        {
            if (!samples.TryGetValue(node, out SampledNode? sample))
            {
                samples[node] = sample = NodeSampler.Sample(node, scope.Inputs, options);
            }
            factor = options.BatchSize * sample.Factors[input];
        }
        return upstream with { Log10MeanSquare = upstream.Log10MeanSquare + Math.Log10(factor), Positions = null, Alignment = null, Weights = null };
    }

    private void Contribute(Value value, GradientMoments gradient) =>
        gradients[value] = Sum(gradients.GetValueOrDefault(value, GradientMoments.None), gradient);

    /// <summary>
    /// Mean squares add; correlations and log-variances are averaged by share. The latter is an upper bound, as if the
    /// contributions fluctuated together.
    /// </summary>
    private static GradientMoments Sum(GradientMoments a, GradientMoments b)
    {
        if (!a.Exists || double.IsNaN(b.Log10MeanSquare) || !b.Exists)
        {
            return a.Exists || double.IsNaN(b.Log10MeanSquare) ? a : b;
        }
        double top = Math.Max(a.Log10MeanSquare, b.Log10MeanSquare);
        double first = Math.Pow(10, a.Log10MeanSquare - top), second = Math.Pow(10, b.Log10MeanSquare - top);
        double share = first / (first + second);
        PositionMoments? positions = (a.Positions, b.Positions) switch
        {
            ({ } own, { } other) => own.Mix(other, share).With(Mix(own.Correlation, other.Correlation), Mix(own.AcrossSamples, other.AcrossSamples)),
            var (own, other) => own ?? other,
        };
        return new GradientMoments(top + Math.Log10(first + second), Mix(a.Correlation, b.Correlation), Mix(a.LogVariance, b.LogVariance))
        {
            Positions = positions,
            SlopeShare = Mix(a.SlopeShare, b.SlopeShare),
            Weights = a.Weights is null && b.Weights is null ? null : MixWeights(a.Weights, b.Weights, share),
        };

        double Mix(double x, double y) => share * x + (1 - share) * y;
    }

    private static float[] MixWeights(float[]? a, float[]? b, double share)
    {
        float[] mixed = new float[(a ?? b)!.Length];
        for (int i = 0; i < mixed.Length; i++)
        {
            mixed[i] = (float)(share * (a?[i] ?? 1) + (1 - share) * (b?[i] ?? 1));
        }
        return mixed;
    }
}

/// <summary>What a parameter is to its node.</summary>
/// <param name="Multiplies">True for a weight, false for a bias.</param>
/// <param name="Positions">How often per sample it is used.</param>
internal sealed record ParameterRole(bool Multiplies, double Positions)
{
    /// <summary>The role in a node that computes W·x or W·x + b; null if the node is of another kind.</summary>
    public static ParameterRole? Of(Node node, int input)
    {
        // A second parameter may only be a bias; an index as data means a look-up, not a product.
        Node[] parameters = [.. node.Parameters];
        if (parameters.Length is 0 or > 2 || node.DataInputs.Count() != 1 || node.Outputs.Length != 1 || node.Op.Moments is null
            || node.DataInputs.First().Type.Kind != ElementKind.Real)
        {
            return null;
        }
        Shape weight = parameters[0].Outputs[0].Shape;
        long units = weight.Rank >= 2 ? weight[0].Size : 0;
        long elements = node.Outputs[0].Shape.ElementsPerSample;
        bool plain = units > 0 && elements % units == 0
            && (parameters.Length == 1 || parameters[1].Outputs[0].Shape is { Rank: 1 } bias && bias[0].Size == units);
        return plain ? new ParameterRole(node.Inputs[input].Node == parameters[0], (double)elements / units) : null;
    }
}
