using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// How far one draw of the weights may lie from the mean-field value at finite width: ln of the mean square of each value and
/// of each gradient, over a batch and all its positions, as a linear form in noise that comes from each layer's units.
/// <list type="bullet">
/// <item>Weights, u = Wh: the units are Gaussian given h, so that the mean square has relative variance 2 E[ρ²]/n, ρ being the
/// correlations of all pairs of rows; for one row 2/n. The same going back, with the n inputs and the gradients' ρ.</item>
/// <item>An activation: (1/n) Σ φ(u)² moves with the scale of u by d ln E[φ²]/d ln q, with the mean of the units by what of φ² is
/// linear in u, and has the higher orders as noise of its own; so does the slope. Back for one row (3κ − 1)/n with κ = E[φ'⁴]/E[φ'²]² together with the weights: 5/n
/// for ReLU, as in Hanin 2018.</item>
/// <item>A sum: the terms' own by their share, and what they have in common by chance, 4 s₁ s₂ E[ρ₁ρ₂]/n.</item>
/// <item>Anything else: by the logarithmic derivative of its rule. A normalization forgets the scale going forward and divides
/// the gradient by it.</item>
/// </list>
/// Derived here, to first order in 1/n.
/// </summary>
internal sealed class FiniteWidthSpread
{
    private readonly Dictionary<Node, NodePrediction> nodes;
    private readonly Dictionary<Value, GradientMoments> gradients;
    private readonly PredictionOptions options;
    private readonly LinearNoise noise = new();
    private readonly Dictionary<Value, int> signals = [], means = [], arrivals = [];
    private readonly Dictionary<Value, PairShares> overlaps = [];
    private readonly Dictionary<(Activation, double, double), ActivationNoise> activations = [];
    private readonly Dictionary<Value, List<(int Quantity, double Log10Share, double Units)>> contributions = [];

    public FiniteWidthSpread(Graph graph, Value seed, Dictionary<Node, NodePrediction> nodes, Dictionary<Value, GradientMoments> gradients, PredictionOptions options)
    {
        (this.nodes, this.gradients, this.options) = (nodes, gradients, options);
        foreach (Node node in graph.Nodes)
        {
            if (nodes.TryGetValue(node, out NodePrediction? prediction) && prediction.Source is not (PredictionSource.Given or PredictionSource.Loss))
            {
                Forward(prediction);
            }
        }
        Start(seed);
        for (int i = graph.Nodes.Length - 1; i >= 0; i--)
        {
            if (nodes.TryGetValue(graph.Nodes[i], out NodePrediction? prediction) && prediction.Source is not (PredictionSource.Given or PredictionSource.Loss))
            {
                Backward(prediction);
            }
        }
    }

    private double Batch => options.BatchSize;

    /// <summary>Variance over draws of the weights of ln of a value's mean square.</summary>
    public double Signal(Value value) => noise.Variance((signals.GetValueOrDefault(value, -1), 1));

    /// <summary>The same of the gradient's.</summary>
    public double Gradient(Value value) => noise.Variance((arrivals.GetValueOrDefault(value, -1), 1));

    /// <summary>The same of the quotient of two gradients' mean squares.</summary>
    public double Quotient(Value value, Value other) => noise.Variance((arrivals.GetValueOrDefault(value, -1), 1), (arrivals.GetValueOrDefault(other, -1), -1));

    private void Forward(NodePrediction prediction)
    {
        Node node = prediction.Node;
        double second = prediction.ForwardSecondMoment;
        if (!(second > 0))
        {
            return;
        }
        bool isFunction = FunctionOf(prediction) is not null;
        (int, double)[] depends = new (int, double)[node.Inputs.Length + (isFunction ? 1 : 0)];
        for (int i = 0; i < node.Inputs.Length; i++)
        {
            depends[i] = signals.TryGetValue(node.Inputs[i], out int signal) ? (signal, Power(prediction, i)) : (-1, 0);
        }
        if (isFunction)
        {
            depends[^1] = (means.GetValueOrDefault(node.Inputs[0], -1), Noise(prediction).Value.Linear);
        }
        int quantity = noise.Add(depends, ForwardNoise(prediction));
        means[node.Output] = MeanOfUnits(prediction);
        for (int k = 0; k < node.Outputs.Length; k++)
        {
            signals[new Value(node, k)] = quantity;
        }
    }

    /// <summary>
    /// The mean over units of a value, in units of its deviation. Squares of units on a residual stream move with it in one
    /// layer after the other, since the stream's units stay what they are. −1 where a normalization has made it 0.
    /// </summary>
    private int MeanOfUnits(NodePrediction prediction)
    {
        Node node = prediction.Node;
        if (node.Op is BatchNorm or LayerNorm or GroupNorm)
        {
            return -1;
        }
        bool keeps = node.Op.IsView || node.Op is Rescaling or Scale or RmsNorm or Dropout;
        if (keeps && means.TryGetValue(node.Inputs[0], out int same))
        {
            return same;
        }
        if (node.Op is Add or Subtract && prediction.Output.Variance > 0 && node.Inputs.All(means.ContainsKey))
        {
            return noise.Add([.. node.Inputs.Select((input, i) => (means[input], Math.Sqrt(nodes[input.Node].Outputs[input.Index].Variance / prediction.Output.Variance)))], 0);
        }
        return noise.Add([], PairShares.Of(prediction.Output, Batch, centered: true).Mean() / Units(node, prediction.Output));
    }

    /// <summary>d ln E[output²] / d ln E[input²].</summary>
    private double Power(NodePrediction prediction, int input)
    {
        Node node = prediction.Node;
        if (FunctionOf(prediction) is not null)
        {
            return Noise(prediction).Value.Power;
        }
        if (PropagationPrediction.WeightOf(node) is not null && input == 0 && prediction.OverTime is null)
        {
            double bias = node.Op is Dense or ConvolutionOp ? DepthProfiler.BiasVariance(node) : 0;
            return Math.Max(0, 1 - bias / prediction.ForwardSecondMoment);
        }
        return Derivative(prediction, input, scope => prediction.Rule!.Forward(scope).SecondMoment);
    }

    /// <summary>Logarithmic derivative of what a rule gives by the mean square of an input; 1 for the first input where there is no rule.</summary>
    private double Derivative(NodePrediction prediction, int input, Func<MomentScope, double> of)
    {
        const double step = 1.01;
        if (prediction.Rule is null)
        {
            return input == 0 && prediction.OverTime is null ? 1 : 0;
        }
        Moments[] inputs = Inputs(prediction.Node);
        double before = of(new MomentScope(prediction.Node, inputs, options.BatchSize));
        inputs = [.. inputs];
        inputs[input] = inputs[input] with { Mean = inputs[input].Mean * Math.Sqrt(step), SecondMoment = inputs[input].SecondMoment * step };
        double after = of(new MomentScope(prediction.Node, inputs, options.BatchSize));
        return before > 0 && after > 0 ? Math.Log(after / before) / Math.Log(step) : 0;
    }

    private double ForwardNoise(NodePrediction prediction)
    {
        Node node = prediction.Node;
        Moments output = prediction.Output;
        if (PropagationPrediction.WeightOf(node) is { } weight)
        {
            // u = m + z with m from the biases: Var(u²) = 2 Var(z)² + 4 m² Var(z).
            double inputs = Math.Max(1, weight.Outputs[0].Shape[1].Size), units = Units(node, output);
            double random = output.SecondMoment > 0 ? output.Variance / output.SecondMoment : 1;
            PairShares pairs = PairShares.Of(output, Batch, centered: true);
            if (prediction.OverTime is not null)
            {
                pairs = pairs with { Positions = 1 }; // a unit that is large at one step stays so: steps are not rows of their own
            }
            double squares = pairs.Map(correlation => correlation * correlation + (1 - correlation * correlation) / inputs).Mean();
            return random * (2 * random * squares + 4 * (1 - random) * pairs.Mean()) / units;
        }
        if (FunctionOf(prediction) is not null)
        {
            UnitNoise value = Noise(prediction).Value;
            PairShares pairs = PairShares.Of(Inputs(node)[0], Batch, centered: true);
            return pairs.Map(value.RestAt).Mean(value.Rest) / Units(node, output);
        }
        return node.Op is Add && node.Inputs.Length == 2 ? SumNoise(node, output) : 0;
    }

    /// <summary>What two terms have in common by chance.</summary>
    private double SumNoise(Node node, Moments output)
    {
        Moments[] terms = Inputs(node);
        double total = terms[0].SecondMoment + terms[1].SecondMoment;
        PairShares pairs = PairShares.Of(terms[0], Batch, false).Join(PairShares.Of(terms[1], Batch, false), (a, b) => a * b);
        return total > 0 ? 4 * (terms[0].SecondMoment / total) * (terms[1].SecondMoment / total) / Units(node, output) * pairs.Mean() : 0;
    }

    private void Start(Value seed)
    {
        // Gradients of a batch lie in as many dimensions as the output has elements, so that two of them overlap by chance.
        Moments pattern = gradients[seed].Pattern;
        overlaps[seed] = Chance(PairShares.Of(pattern, Batch, centered: false), seed.Shape.ElementsPerSample / PairShares.EffectivePositions(pattern.Positions));
        arrivals[seed] = noise.Add([], 0);
    }

    /// <summary>Mean squares of overlaps from the overlaps' means, in so many dimensions.</summary>
    private static PairShares Chance(PairShares means, double dimensions) => means.Join(means, (mean, _) => mean * mean + (1 - mean * mean) / Math.Max(1, dimensions));

    private void Backward(NodePrediction prediction)
    {
        Node node = prediction.Node;
        if (Arrived(node) is not { } arrived)
        {
            return;
        }
        GradientMoments upstream = gradients[node.Output];
        for (int i = 0; i < node.Inputs.Length; i++)
        {
            Value input = node.Inputs[i];
            if (!gradients.TryGetValue(input, out GradientMoments total) || !total.Exists)
            {
                continue;
            }
            if (input.Node.Op is Parameter)
            {
                arrivals[input] = OfParameter(prediction, i, arrived);
                continue;
            }
            double factor = prediction.OverTime is null ? prediction.GradientFactors[i] : 1;
            PairShares overlap = OverlapAt(prediction, input, total);
            int quantity = noise.Add([(arrived, 1), .. Couplings(prediction, i)], BackwardNoise(prediction, overlap));
            overlaps.TryAdd(input, overlap);
            if (!contributions.TryGetValue(input, out var list))
            {
                contributions[input] = list = [];
            }
            list.Add((quantity, upstream.Log10MeanSquare + Math.Log10(factor), Units(input.Node, nodes[input.Node].Outputs[input.Index])));
        }
    }

    /// <summary>The gradient at a node's outputs: what its readers have sent, each by its share; null if none has.</summary>
    private int? Arrived(Node node)
    {
        for (int k = 0; k < node.Outputs.Length; k++)
        {
            Value output = new(node, k);
            if (arrivals.TryGetValue(output, out int known) || contributions.TryGetValue(output, out _))
            {
                int quantity = arrivals.ContainsKey(output) ? known : Join(contributions[output], overlaps[output]);
                overlaps.TryAdd(node.Output, overlaps[output]);
                return arrivals[node.Output] = quantity;
            }
        }
        return null;
    }

    private int Join(List<(int Quantity, double Log10Share, double Units)> terms, PairShares overlap)
    {
        if (terms.Count == 1)
        {
            return terms[0].Quantity;
        }
        double top = terms.Max(term => term.Log10Share), sum = terms.Sum(term => Math.Pow(10, term.Log10Share - top));
        double[] shares = [.. terms.Select(term => Math.Pow(10, term.Log10Share - top) / sum)];
        double crosses = 1 - shares.Sum(share => share * share);
        return noise.Add([.. terms.Select((term, i) => (term.Quantity, shares[i]))], 2 * crosses / terms[0].Units * overlap.Mean());
    }

    /// <summary>How the factor of a gradient follows the scale of what went forward.</summary>
    private IEnumerable<(int, double)> Couplings(NodePrediction prediction, int input)
    {
        Node node = prediction.Node;
        if (FunctionOf(prediction) is not null)
        {
            yield return (signals.GetValueOrDefault(node.Inputs[0], -1), Noise(prediction).Slope.Power);
            yield return (means.GetValueOrDefault(node.Inputs[0], -1), Noise(prediction).Slope.Linear);
        }
        else if (prediction.Rule is { } rule && PropagationPrediction.WeightOf(node) is null && !node.Op.IsView)
        {
            for (int i = 0; i < node.Inputs.Length; i++)
            {
                if (signals.TryGetValue(node.Inputs[i], out int signal))
                {
                    yield return (signal, Derivative(prediction, i, scope => rule.Backward(scope, input)));
                }
            }
        }
    }

    private double BackwardNoise(NodePrediction prediction, PairShares overlap)
    {
        Node node = prediction.Node;
        if (PropagationPrediction.WeightOf(node) is { } weight)
        {
            // A recurrent layer's gradient passes the recurrent weights too.
            double recurrent = prediction.OverTime is null ? 0 : 2.0 / ((RecurrentLayer)node.Op).Units;
            return (2.0 / Math.Max(1, weight.Outputs[0].Shape[1].Size) + recurrent) * overlaps[node.Output].Mean();
        }
        if (FunctionOf(prediction) is null)
        {
            return 0;
        }
        UnitNoise slope = Noise(prediction).Slope;
        PairShares pairs = PairShares.Of(Inputs(node)[0], Batch, centered: true) with { Positions = overlap.Positions };
        PairShares joint = pairs.Join(overlaps[node.Output] with { Positions = overlap.Positions }, (correlation, square) => slope.RestAt(correlation) + 2 * slope.At(correlation) * square);
        return joint.Mean(slope.Rest + 2 * slope.At(1)) / Units(node, prediction.Output);
    }

    /// <summary>Mean squares of the overlaps of gradients at an input of a node.</summary>
    private PairShares OverlapAt(NodePrediction prediction, Value input, GradientMoments total)
    {
        PairShares above = overlaps[prediction.Node.Output], means = PairShares.Of(total.Pattern, Batch, centered: false);
        double dimensions = Units(input.Node, nodes[input.Node].Outputs[input.Index]);
        if (means.Positions != above.Positions)
        {
            // Positions have come or gone: what is known of them is their mean; samples overlap as before.
            double samples = Math.Max(above.OfSamples, means.OfSamples * means.OfSamples);
            double positions = means.OfPositions * means.OfPositions;
            return means with { OfSamples = samples, OfPositions = Floor(positions), OfBoth = Floor(samples * positions) };
        }
        ActivationMoments? activation = prediction.Activation;
        return new PairShares(Batch, means.Positions, Decorrelated(above.OfSamples, MomentPair.Samples), Decorrelated(above.OfPositions, MomentPair.Positions), Decorrelated(above.OfBoth, MomentPair.Both));

        double Decorrelated(double square, MomentPair pair)
        {
            double keep = activation is { SlopeMoment: > 0 } known ? known.SlopeProduct(pair) / known.SlopeMoment : 1;
            return Floor(square * keep * keep);
        }

        double Floor(double square) => Math.Min(1, square + (1 - square) / Math.Max(1, dimensions));
    }

    /// <summary>
    /// A weight's gradient is Σ δx over rows: its mean square goes with those of δ and x, and with what different rows of
    /// either have in common by chance.
    /// </summary>
    private int OfParameter(NodePrediction prediction, int input, int arrived)
    {
        Node node = prediction.Node;
        Value? data = node.DataInputs.Select(value => (Value?)value).FirstOrDefault(value => signals.ContainsKey(value!.Value));
        bool multiplies = node.Inputs[input].Shape.Rank >= 2;
        PairShares overlap = overlaps[node.Output];
        Value first = node.DataInputs.First();
        Moments x = multiplies && first.Type.Kind == ElementKind.Real ? nodes[first.Node].Outputs[first.Index] : new Moments(1, 1, 1);
        PairShares averages = PairShares.Of(gradients[node.Output].Pattern, Batch, centered: false), shared = PairShares.Of(x, Batch, centered: false) with { Positions = overlap.Positions };
        double coherence = averages.Join(shared, (a, b) => a * b).Mean() * Batch * overlap.Positions;
        PairShares chance = overlap.Join(averages, (square, mean) => Math.Max(0, square - mean * mean)).Join(shared, (square, mean) => square * mean * mean);
        double variance = 2 * chance.Mean(0) / Math.Max(1e-12, coherence * coherence);
        return noise.Add([(arrived, 1), (multiplies && data is { } value ? signals[value] : -1, 1)], variance);
    }

    /// <summary>The function of a node that is one, as it is before step 1; null for other nodes.</summary>
    private static Activation? FunctionOf(NodePrediction prediction) => prediction.Activation is null ? null : prediction.Node.Op switch
    {
        PRelu learnt => learnt.AtInitialization,
        RRelu random => random.InEvaluation,
        Activation activation => activation,
        _ => null,
    };

    private ActivationNoise Noise(NodePrediction prediction)
    {
        Activation activation = FunctionOf(prediction)!;
        Moments x = Inputs(prediction.Node)[0];
        var key = (activation, Round(x.Mean), Round(x.Variance));
        if (!activations.TryGetValue(key, out ActivationNoise known))
        {
            activations[key] = known = ActivationNoise.Of(activation, key.Item2, key.Item3);
        }
        return known;
    }

    /// <summary>Three digits are enough for a spread, and in a deep chain let equal layers be recognised.</summary>
    private static double Round(double x)
    {
        if (x == 0 || !double.IsFinite(x))
        {
            return x;
        }
        double unit = Math.Pow(10, Math.Floor(Math.Log10(Math.Abs(x))) - 2);
        return unit == 0 ? x : Math.Round(x / unit) * unit;
    }

    /// <summary>Elements of a value that are independent units, its positions aside.</summary>
    private static double Units(Node node, Moments moments) => Math.Max(1, node.Outputs[0].Shape.ElementsPerSample / (double)moments.PositionCount);

    private Moments[] Inputs(Node node) => [.. node.Inputs.Select(input => nodes[input.Node].Outputs[input.Index])];
}
