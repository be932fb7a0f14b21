using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// What theory expects of a network before step 1: lengths and correlations going forward, gradients coming back.
/// Gradients are relative to that at the network's output, and in decades, so that no depth underflows.
/// </summary>
public sealed class PropagationPrediction
{
    private readonly Dictionary<Node, NodePrediction> nodes;
    private readonly Dictionary<Value, GradientMoments> gradients;
    private LayerReaders? readers;

    internal PropagationPrediction(Graph graph, PredictionOptions options, Dictionary<Node, NodePrediction> nodes, Dictionary<Value, GradientMoments> gradients, IEnumerable<RecurrentPrediction> recurrent)
    {
        Graph = graph;
        Options = options;
        this.nodes = nodes;
        this.gradients = gradients;
        Recurrent = [.. recurrent];
        Spread = new FiniteWidthSpread(graph, SignalPropagation.Seed(graph), nodes, gradients, options);
        Depth = DepthProfiler.Profile(this);
    }

    public Graph Graph { get; }

    public PredictionOptions Options { get; }

    /// <summary>The gradient over the weight-bearing layers.</summary>
    public DepthProfile Depth { get; }

    /// <summary>
    /// What happens over time in each recurrent layer that a gradient reaches, in the graph's order. A layer whose recurrent
    /// weights do not mix its units, such as the identity, is sampled as a whole and is not here.
    /// </summary>
    public ImmutableArray<RecurrentPrediction> Recurrent { get; }

    /// <summary>The prediction for a node of the graph.</summary>
    /// <exception cref="GraphException">The node belongs to another graph.</exception>
    public NodePrediction this[Node node] =>
        nodes.GetValueOrDefault(node) ?? throw new GraphException($"{node.Name} ({node.Op.Kind}): theory has made no prediction for this node; it belongs to another graph");

    /// <summary>The prediction for the node of this name.</summary>
    public NodePrediction this[string node] => this[Graph[node]];

    /// <summary>Every node's prediction, in the graph's order.</summary>
    public IEnumerable<NodePrediction> Nodes => Graph.Nodes.Where(nodes.ContainsKey).Select(node => nodes[node]);

    /// <summary>Moments of a value going forward.</summary>
    public Moments Forward(Value value) => this[value.Node].Outputs[value.Index];

    /// <summary>
    /// log10 of the RMS of an element of ∂L/∂value, relative to the RMS of an element of ∂L/∂output. For an activation
    /// the gradient of a batch's mean loss by one sample's elements; for a parameter the sum over the batch.
    /// −∞ if no gradient reaches the value.
    /// </summary>
    public double RelativeGradient(Value value) => Gradient(value).Log10MeanSquare / 2;

    /// <summary>log10 of the gradient's norm over a sample's elements (a parameter's: all), relative to the output gradient's norm over a sample's elements.</summary>
    public double RelativeGradientNorm(Value value) =>
        RelativeGradient(value) + 0.5 * (Math.Log10(value.Shape.ElementsPerSample) - Math.Log10(SignalPropagation.Seed(Graph).Shape.ElementsPerSample));

    /// <summary>One standard deviation of <see cref="RelativeGradient"/> over random weights at the network's width, in decades.</summary>
    public double ExpectedLogDeviation(Value value) => ToDecades(Spread.Gradient(value));

    /// <summary>
    /// One standard deviation of log10 of the RMS of a value's elements over random weights at the network's width, in
    /// decades; over a batch of <see cref="PredictionOptions.BatchSize"/>, the data being what they are.
    /// </summary>
    public double ExpectedSignalDeviation(Value value) => ToDecades(Spread.Signal(value));

    /// <summary>One sentence, with numbers, on what a node does to the signal and its gradient.</summary>
    public string Explain(Node node) => Explanation.Of(this, node);

    internal FiniteWidthSpread Spread { get; }

    /// <summary>The node that reads a value, if it is the only one.</summary>
    internal Node? OnlyReader(Value value) => (readers ??= new LayerReaders(Graph)).Of(value) is [var only] ? only : null;

    internal GradientMoments Gradient(Value value) => gradients.GetValueOrDefault(value, GradientMoments.None);

    /// <summary>From the variance of ln ‖g‖² to the standard deviation of log10 ‖g‖.</summary>
    internal static double ToDecades(double logVariance) => Math.Sqrt(Math.Max(0, logVariance)) / 2 / Math.Log(10);

    /// <summary>The matrix or kernel of a node that multiplies its input by weights: its first parameter of rank 2 or more.</summary>
    internal static Node? WeightOf(Node node) =>
        node.Parameters.FirstOrDefault(parameter => parameter.Outputs[0].Shape.Rank >= 2 && ((Parameter)parameter.Op).Trainable);
}
