using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graph.Tests;

public sealed class AutodiffTests
{
    [Fact]
    public void EveryGradientNodeKnowsItsForwardNode()
    {
        DifferentiatedGraph result = Differentiate(out Graphs.Graph forward);

        Node[] backward = [.. result.Graph.Nodes.Except(forward.Nodes).Where(node => node.Op is not Source)];
        Assert.NotEmpty(backward);
        Assert.All(backward, node => Assert.Contains(node.Forward, forward.Nodes));
        Assert.Contains("∇sigmoid_1.input = sigmoid_gradient(", result.Graph.ToString());
        Assert.Contains("← gradient of sigmoid_1", result.Graph.ToString());
    }

    [Fact]
    public void GradientsThatMeetAreSummedOnce()
    {
        DifferentiatedGraph result = Differentiate(out Graphs.Graph forward);

        // dense_1 is read by sigmoid_1 and by the residual addition.
        Value gradient = result.Gradients[forward["dense_1"].Output];
        Assert.Equal("∇dense_1.sum", gradient.Node.Name);
        Assert.Equal(2, gradient.Node.Inputs.Length);
    }

    [Fact]
    public void NothingIsComputedForWhatIsNotWanted()
    {
        GraphBuilder builder = new();
        Value x = builder.Input("x", new TensorType(Shape.OfSamples(3)));
        Value y = builder.Layer(new Dense(2), "layer", [x]);
        Graphs.Graph graph = builder.Build(y);
        GraphBuilder seeded = new(graph);
        Value upstream = seeded.Input("upstream", y.Type);
        Graphs.Graph whole = seeded.Build(y);

        DifferentiatedGraph result = Autodiff.Differentiate(whole, new Dictionary<Value, Value> { [y] = upstream }, [graph["layer.bias"].Output]);

        Assert.DoesNotContain(result.Graph.Nodes, node => node.Op is DenseInputGradient or DenseWeightGradient);
        Assert.Contains(result.Graph.Nodes, node => node.Op is ColumnSum);
    }

    [Fact]
    public void OnlyAScalarCanBeDifferentiated()
    {
        Graphs.Graph graph = Network.Input(3).Dense(2).Build();
        GraphException error = Assert.Throws<GraphException>(() => Autodiff.Differentiate(graph, graph.Output));
        Assert.Equal("dense_1 has shape (N, 2); only a scalar can be differentiated", error.Message);
    }

    /// <summary>A loss of attention weights would train, without a word, as if they were constants.</summary>
    [Fact]
    public void AGradientIsRefusedRatherThanLost()
    {
        NetworkCursor network = Network.Input(5, 4).MultiHeadAttention(2, name: "heads");
        Value weights = new(network.Value.Node, 1);
        Value target = network.Builder.Input("target", weights.Type);
        Value loss = network.Builder.Add("loss", new MeanSquaredErrorLoss(), [weights, target]);
        GraphException error = Assert.Throws<GraphException>(() => Autodiff.Differentiate(network.Builder.Build(loss), loss));
        Assert.Equal("heads (multi_head_attention): the loss depends on its output 1 (attention), which can only be read: no gradient flows back through it", error.Message);
    }

    [Fact]
    public void ResidualChainAgreesWithDifferences()
    {
        Random random = new(5);
        Dictionary<string, double[]> inputs = new()
        {
            ["x"] = Draw(random, 4 * 3),
            ["w1"] = Draw(random, 3 * 3),
            ["b1"] = Draw(random, 3),
            ["w2"] = Draw(random, 3 * 3),
            ["b2"] = Draw(random, 3),
        };
        Dictionary<string, double[]> upstream = new() { ["y"] = Draw(random, 4 * 3) };
        string? mismatch = GradientCheck.Mismatch(values => Residual(values, upstream["y"]), inputs, upstream);
        Assert.Null(mismatch);
    }

    [Fact]
    public void TheCheckItselfCanFail()
    {
        // The same graph against differences of another upstream gradient must not pass.
        Random random = new(6);
        Dictionary<string, double[]> inputs = new()
        {
            ["x"] = Draw(random, 4 * 3), ["w1"] = Draw(random, 9), ["b1"] = Draw(random, 3), ["w2"] = Draw(random, 9), ["b2"] = Draw(random, 3),
        };
        double[] given = Draw(random, 12);
        Assert.NotNull(GradientCheck.Mismatch(values => Residual(values, given), inputs, new Dictionary<string, double[]> { ["y"] = Draw(random, 12) }));
    }

    private static GraphRun<double> Residual(IReadOnlyDictionary<string, double[]> values, double[] upstream)
    {
        GraphRun<double> run = new();
        Value x = run.Real("x", [4, 3], values["x"]);
        Value first = run.Builder.Add("first", new Dense(3), [x, run.Real("w1", [3, 3], values["w1"]), run.Real("b1", [3], values["b1"])]);
        Value second = run.Builder.Add("second", new Dense(3), [run.Builder.Add("s", new Sigmoid(), [first]), run.Real("w2", [3, 3], values["w2"]), run.Real("b2", [3], values["b2"])]);
        run.Output("y", run.Builder.Add("sum", new Add(), [second, x, first]), upstream);
        return run;
    }

    private static double[] Draw(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() * 2 - 1)];

    private static DifferentiatedGraph Differentiate(out Graphs.Graph forward)
    {
        NetworkCursor stem = Network.Input(8).Dense(8);
        Graphs.Graph network = stem.Sigmoid().Dense(8).Add(stem).Dense(2).Build();
        GraphBuilder builder = new(network);
        Value upstream = builder.Input("upstream", network.Output.Type);
        forward = builder.Build(network.Output);
        IEnumerable<Value> wanted = forward.Parameters.Select(node => node.Output);
        return Autodiff.Differentiate(forward, new Dictionary<Value, Value> { [network.Output] = upstream }, wanted);
    }
}
