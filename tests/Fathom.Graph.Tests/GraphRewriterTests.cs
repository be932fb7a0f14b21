using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graph.Tests;

public sealed class GraphRewriterTests
{
    [Fact]
    public void CopyingEverythingGivesTheSameGraph()
    {
        NetworkCursor stem = Network.Input(8).Dense(8, weight: VarianceScaling.HeNormal, bias: new ConstantInitializer(0.5));
        Graphs.Graph graph = stem.Sigmoid("gate").Dense(8, useBias: false).Add(stem).Dense(2).Build();

        Graphs.Graph copy = GraphRewriter.Rewrite(graph, (_, _) => null);

        Assert.Equal(graph.ToString(), copy.ToString());
        Assert.Equal(graph.Nodes.Select(node => node.Op), copy.Nodes.Select(node => node.Op));
    }

    /// <summary>Parameters are taken over as they are, so they know the place that they had in the old graph.</summary>
    [Fact]
    public void EveryNodeIsFoundAtItsPlace()
    {
        Graphs.Graph old = Network.Input(4).Dense(3).Tanh().Dense(2).Build();
        Graphs.Graph graph = GraphRewriter.Rewrite(old, (rewriter, node) => node.Op is Tanh ? rewriter.Builder.Layer(new LayerNorm(), "norm", [rewriter.Mapped(node.Inputs[0])]) : null);
        Assert.Contains(old.Nodes, node => graph.PlaceOf(node) is >= 0 and int place && place != old.PlaceOf(node));
        Assert.Equal(Enumerable.Range(0, graph.Nodes.Length), graph.Nodes.Select(graph.PlaceOf));
        Assert.Equal(Enumerable.Range(0, old.Nodes.Length), old.Nodes.Select(old.PlaceOf));
        Assert.Equal(-1, graph.PlaceOf(old["tanh_1"]));
    }

    [Fact]
    public void AReplacedLayerIsReadByItsReaders()
    {
        Graphs.Graph graph = Network.Input(8).Dense(8).Sigmoid().Dense(2).Build();

        Graphs.Graph rewritten = GraphRewriter.Rewrite(graph, (rewriter, node) => node.Op is Sigmoid
            ? rewriter.Builder.Layer(new Add(), "skip", [rewriter.Mapped(node.Inputs[0]), rewriter.Copy(node)])
            : null);

        Assert.Equal("skip", rewritten["dense_2"].Inputs[0].Name);
        Assert.Equal(["dense_1", "sigmoid_1"], rewritten["skip"].Inputs.Select(input => input.Name));
        Assert.Equal("sigmoid_1", graph["dense_2"].Inputs[0].Name);
    }

    [Fact]
    public void NamesOfLayersStillToBeCopiedAreNotGivenAway()
    {
        Graphs.Graph graph = Network.Input(8).Dense(8).Tanh("relu_1").Dense(8).Sigmoid("dense_1_skip").Build();

        Graphs.Graph rewritten = GraphRewriter.Rewrite(graph, (rewriter, node) => node.Name == "dense_1"
            ? rewriter.Builder.Layer(new Sigmoid(), rewriter.Builder.FreeName("dense_1_skip"), [rewriter.Builder.Layer(new Relu(), null, [rewriter.Copy(node)])])
            : null);

        Assert.Equal(["input", "dense_1.weight", "dense_1.bias", "dense_1", "relu_2", "dense_1_skip_2", "relu_1", "dense_2.weight", "dense_2.bias", "dense_2", "dense_1_skip"],
            rewritten.Nodes.Select(node => node.Name));
    }

    [Fact]
    public void FrozenSharedAndFreeStandingParametersStayTheNodesThatTheyAre()
    {
        Graphs.Graph copy = GraphRewriter.Rewrite(Tied(), (_, _) => null);

        Assert.Equal(Tied().ToString().Split('\n').Order(), copy.ToString().Split('\n').Order());
        Graphs.Graph graph = Tied();
        copy = GraphRewriter.Rewrite(graph, (_, _) => null);
        Assert.All(graph.Parameters, parameter => Assert.Same(parameter, copy[parameter.Name]));
        Assert.False(((Parameter)copy["w"].Op).Trainable);
        Assert.Same(copy["w"], copy["first"].Inputs[1].Node);
        Assert.Same(copy["w"], copy["second"].Inputs[1].Node);
        Assert.Same(copy["shift"], copy["shifted"].Inputs[1].Node);
    }

    [Fact]
    public void AChangedInitializerKeepsTheTrainableFlag()
    {
        Graphs.Graph changed = GraphRewriter.Rewrite(Tied(), (rewriter, node) => node.Op is Dense
            ? rewriter.Copy(node, initializer: (slot, _) => slot == "weight" ? VarianceScaling.HeNormal : ConstantInitializer.Ones)
            : null);

        Assert.Equal(new Parameter(Shape.Of(4, 4), VarianceScaling.HeNormal, Trainable: false), changed["w"].Op);
        Assert.Same(changed["w"], changed["second"].Inputs[1].Node);
    }

    [Fact]
    public void ARenamedLayerTakesItsOwnParametersAlongAndLeavesNamedOnes()
    {
        Dictionary<string, string> named = new() { ["weight"] = "w" };
        Graphs.Graph graph = Network.Input(4).Then(new Dense(4), "a", null, named).Then(new Dense(4), "b", null, named).Build();
        Graphs.Graph renamed = GraphRewriter.Rewrite(graph, (rewriter, node) => node.Name == "b" ? rewriter.Copy(node, name: "c") : null);
        Assert.Equal(["input", "w", "a.bias", "a", "c.bias", "c"], renamed.Nodes.Select(node => node.Name));
        Assert.Equal(["weight", "bias"], renamed["c"].Parameters.Select(parameter => GraphRewriter.SlotName(renamed["c"], parameter)));
    }

    [Fact]
    public void ASharedParameterCannotChangeForOneLayerAlone()
    {
        GraphException error = Assert.Throws<GraphException>(() => GraphRewriter.Rewrite(Tied(), (rewriter, node) => node.Name == "second"
            ? rewriter.Copy(node, initializer: (_, _) => VarianceScaling.HeNormal)
            : null));
        Assert.Equal("second (dense): its parameter w is shared by first, second; a rewrite must change it for all of them alike", error.Message);
    }

    [Fact]
    public void NewDataInputsLeaveFreeStandingParametersInPlace()
    {
        Graphs.Graph graph = Tied();
        Graphs.Graph rewritten = GraphRewriter.Rewrite(graph, (rewriter, node) => node.Name == "shifted"
            ? rewriter.Copy(node, inputs: [rewriter.Builder.Layer(new Tanh(), "squashed", [rewriter.Mapped(node.Inputs[0])])])
            : null);
        Assert.Equal(["squashed", "shift"], rewritten["shifted"].Inputs.Select(input => input.Name));

        GraphException error = Assert.Throws<GraphException>(() => GraphRewriter.Rewrite(graph, (rewriter, node) => node.Name == "shifted"
            ? rewriter.Copy(node, inputs: [])
            : null));
        Assert.Equal("shifted (add): expected 1 data inputs beside its free-standing parameters, given 0", error.Message);
    }

    [Fact]
    public void FurtherOutputsOfAWrappedLayerStayItsOwn()
    {
        GraphBuilder builder = new();
        Value x = builder.Input("x", new TensorType(Shape.OfSamples(4)));
        Value y = builder.Layer(new RRelu(), "random", [x]);
        Value sum = builder.Layer(new Add(), "sum", [y, new Value(y.Node, 1)]);
        Graphs.Graph graph = builder.Build(sum);

        Graphs.Graph wrapped = GraphRewriter.Rewrite(graph, (rewriter, node) => node.Name == "random"
            ? rewriter.Builder.Layer(new Dropout(0.5), "wrapper", [rewriter.Copy(node)])
            : null);
        Assert.Equal(["wrapper", "random:1"], wrapped["sum"].Inputs.Select(input => input.Name));

        GraphException error = Assert.Throws<GraphException>(() => GraphRewriter.Rewrite(graph, (rewriter, node) => node.Name == "random"
            ? rewriter.Builder.Layer(new Dropout(0.5), "instead", [rewriter.Mapped(node.Inputs[0])])
            : null));
        Assert.Equal("random:1 (rrelu): nothing in the rewritten graph has taken the place of this output, yet it is read", error.Message);
    }

    /// <summary>Two layers on one frozen weight, and a parameter that is an operand of an addition.</summary>
    private static Graphs.Graph Tied()
    {
        GraphBuilder builder = new();
        Value x = builder.Input("x", new TensorType(Shape.OfSamples(4)));
        Value weight = builder.Parameter("w", Shape.Of(4, 4), VarianceScaling.XavierNormal, trainable: false);
        Value first = builder.Add("first", new Dense(4, Bias: false), [x, weight]);
        Value second = builder.Add("second", new Dense(4, Bias: false), [first, weight]);
        Value shift = builder.Parameter("shift", Shape.Of(new Dim(1)), ConstantInitializer.Ones);
        Value still = builder.Parameter("still", Shape.Of(new Dim(1)), ConstantInitializer.Ones);
        Value shifted = builder.Add("shifted", new Add(), [builder.Add("bent", new Relu(), [still]), shift]);
        return builder.Build(second, shifted);
    }
}
