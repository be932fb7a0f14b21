using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graph.Tests;

public sealed class GraphBuilderTests
{
    [Fact]
    public void FluentNetworkHasStableNamesAndShapes()
    {
        Graphs.Graph graph = Network.Input(64).Dense(32).Sigmoid().Dense(10).Build();

        Assert.Equal(
            ["input", "dense_1.weight", "dense_1.bias", "dense_1", "sigmoid_1", "dense_2.weight", "dense_2.bias", "dense_2"],
            graph.Nodes.Select(node => node.Name));
        Assert.Equal("(N, 10)", graph.Output.Shape.ToString());
        Assert.Equal("(32, 64)", graph["dense_1.weight"].Outputs[0].Shape.ToString());
        Assert.Equal(64 * 32 + 32 + 32 * 10 + 10, graph.ParameterCount);
    }

    [Fact]
    public void BranchesAndResidualAdditionsArePossible()
    {
        NetworkCursor stem = Network.Input(8).Dense(8);
        Graphs.Graph graph = stem.Sigmoid().Dense(8).Add(stem).Dense(2).Build();

        Node add = graph["add_1"];
        Assert.Equal(["dense_2", "dense_1"], add.Inputs.Select(input => input.Name));
    }

    [Fact]
    public void ShapeErrorNamesNodeOpExpectedAndGiven()
    {
        NetworkCursor network = Network.Input(8);
        GraphException error = Assert.Throws<GraphException>(() => network.Dense(4).Add(network, "skip"));
        Assert.Equal("skip (add): expected input 1 of shape (N, 4), given shape (N, 8)", error.Message);
    }

    [Fact]
    public void WrongWeightShapeIsRefused()
    {
        GraphBuilder builder = new();
        Value x = builder.Input("x", new TensorType(Shape.OfSamples(3)));
        Value weight = builder.Parameter("w", Shape.Of(4, 5), ConstantInitializer.Zeros);
        GraphException error = Assert.Throws<GraphException>(() => builder.Add("layer", new Dense(4, Bias: false), [x, weight]));
        Assert.Equal("layer (dense): expected input 1 of shape (4, 3), given shape (4, 5)", error.Message);
    }

    [Fact]
    public void LayerWithoutUnitsIsRefused()
    {
        GraphException error = Assert.Throws<GraphException>(() => Network.Input(8).Dense(0));
        Assert.Equal("dense_1 (dense): units is 0; it must be 1 or more", error.Message);
    }

    [Fact]
    public void NamesMustBeUnique()
    {
        GraphException error = Assert.Throws<GraphException>(() => Network.Input(8).Dense(8, name: "a").Sigmoid("a"));
        Assert.Equal("a (sigmoid): the name is taken by another node; names must be unique", error.Message);
    }

    [Fact]
    public void AFreeNameIsTheWantedOneOrTheNextNumber()
    {
        GraphBuilder builder = new();
        Assert.Equal("skip", builder.FreeName("skip"));
        Assert.Equal("skip", builder.FreeName("skip"));
        builder.Input("skip", new TensorType(Shape.OfSamples(3)));
        Assert.Equal("skip_2", builder.FreeName("skip"));
        builder.Input("skip_2", new TensorType(Shape.OfSamples(3)));
        Assert.Equal("skip_3", builder.FreeName("skip"));
        Assert.Equal("skip_2_2", builder.FreeName("skip_2"));
        Assert.Equal("a node's name must not be empty", Assert.Throws<GraphException>(() => builder.FreeName("")).Message);
    }

    [Fact]
    public void NetworksCannotBeMixed()
    {
        NetworkCursor other = Network.Input(8).Dense(8);
        GraphException error = Assert.Throws<GraphException>(() => Network.Input(8).Dense(8).Add(other));
        Assert.Equal("add: dense_1 belongs to another network", error.Message);
    }

    [Fact]
    public void OutputMustBelongToTheGraph()
    {
        GraphBuilder first = new();
        Value x = first.Input("x", new TensorType(Shape.OfSamples(3)));
        GraphBuilder second = new();
        second.Input("y", new TensorType(Shape.OfSamples(3)));
        GraphException error = Assert.Throws<GraphException>(() => second.Build(x));
        Assert.Equal("the output x is not a node of the graph", error.Message);
    }

    [Fact]
    public void ANodeFromElsewhereIsNotAnInput()
    {
        GraphBuilder first = new();
        Value x = first.Input("x", new TensorType(Shape.OfSamples(3)));
        GraphBuilder second = new();
        Value y = second.Add("s", new Sigmoid(), [x]);
        GraphException error = Assert.Throws<GraphException>(() => second.Build(y));
        Assert.Equal("s (sigmoid): its input x does not come before it", error.Message);
    }

    [Theory]
    [InlineData(1, 5, "(N, 5)")]
    [InlineData(7, 35, "(7N, 5)")]
    public void DimensionsBindToABatch(int factor, int elements, string text)
    {
        Shape shape = Shape.Of(new Dim(factor, PerSample: true), 5);
        Assert.Equal(text, shape.ToString());
        Assert.Equal(elements, shape.Elements(1));
        Assert.Equal([3 * factor, 5], shape.Bind(3));
    }

    [Fact]
    public void ALayerWithoutInputsIsToldWhatItExpects()
    {
        GraphException error = Assert.Throws<GraphException>(() => new GraphBuilder().Layer(new Dense(3), "alone", []));
        Assert.Equal("alone (dense): expected 3 inputs, given 0", error.Message);
    }

    [Fact]
    public void AFaultOfAnOpIsNotTakenForOneOfItsUser()
    {
        GraphBuilder builder = new();
        Value x = builder.Input("x", new TensorType(Shape.OfSamples(3)));
        Assert.Throws<IndexOutOfRangeException>(() => builder.Layer(new Faulty(), "faulty", [x]));
    }

    [Fact]
    public void AReshapeBeyondAllNumbersIsNoDivisionByZero()
    {
        // 2^64 elements would count as none.
        Assert.Throws<OverflowException>(() => Network.Input(4).Reshape(65536, 65536, 65536, 65536, -1));
    }

    [Fact]
    public void LayersThatNameOneParameterShareIt()
    {
        Dictionary<string, string> tied = new() { ["weight"] = "w" };
        Graphs.Graph graph = Network.Input(4).Then(new Dense(4), "a", null, tied).Then(new Dense(4), "b", null, tied).Build();
        Assert.Equal(["input", "w", "a.bias", "a", "b.bias", "b"], graph.Nodes.Select(node => node.Name));
        Assert.Same(graph["a"].Inputs[1].Node, graph["b"].Inputs[1].Node);
        Assert.Equal(16 + 4 + 4, graph.ParameterCount);
    }

    /// <summary>W·tanh(W·x + b) + b: the gradients of both uses add up.</summary>
    [Fact]
    public void TheGradientOfASharedParameterIsTheSumOverItsUses()
    {
        Dictionary<string, double[]> inputs = new() { ["x"] = [0.3, -1.2, 0.7], ["w"] = [0.2, -0.5, 1.1, 0.4, 0.9, -0.3, 0.8, 0.1, -0.7], ["b"] = [0.1, -0.2, 0.3] };
        Dictionary<string, double[]> upstream = new() { ["y"] = [1, -2, 0.5] };
        Dictionary<string, string> tied = new() { ["weight"] = "w", ["bias"] = "b" };
        Assert.Null(GradientCheck.Mismatch(Make, inputs, upstream));

        GraphRun<double> Make(IReadOnlyDictionary<string, double[]> given)
        {
            GraphRun<double> run = new();
            Value x = run.Real("x", [1, 3], given["x"]);
            run.Real("w", [3, 3], given["w"]);
            run.Real("b", [3], given["b"]);
            Value first = run.Builder.Layer(new Dense(3), "first", [x], null, tied);
            run.Output("y", run.Builder.Layer(new Dense(3), "second", [run.Builder.Add("tanh", new Tanh(), [first])], null, tied), upstream["y"]);
            return run;
        }
    }

    [Fact]
    public void ALayerMayUseWhatAnotherOwnsBeforeThatOneIsThere()
    {
        Graphs.Graph graph = Network.Input(4).Then(new Dense(4, Bias: false), "a", null, new Dictionary<string, string> { ["weight"] = "b.weight" }).Dense(4, useBias: false, name: "b").Build();
        Assert.Same(graph["b.weight"], graph["a"].Inputs[1].Node);
        Assert.Same(graph["b.weight"], graph["b"].Inputs[1].Node);
    }

    [Fact]
    public void AParameterThatCannotBeSharedIsAnError()
    {
        Dictionary<string, string> tied = new() { ["weight"] = "w" };
        NetworkCursor first = Network.Input(4).Then(new Dense(3), "a", null, tied);
        Assert.Equal("b (dense): the parameter w has the shape (3, 4), and weight must have the shape (3, 3)",
            Assert.Throws<GraphException>(() => first.Then(new Dense(3), "b", null, tied)).Message);
        NetworkCursor square = Network.Input(4).Then(new Dense(4), "a", null, tied);
        Assert.Equal("b (dense): the parameter w starts with xavier_uniform already; give its initializer at the first layer that reads it",
            Assert.Throws<GraphException>(() => square.Then(new Dense(4), "b", new Dictionary<string, Initializer> { ["weight"] = VarianceScaling.HeNormal }, tied)).Message);
        Assert.Equal("c (dense): the parameter w is trained by another layer that shares it; freeze it at the first layer that reads it",
            Assert.Throws<GraphException>(() => square.Builder.Layer(new Dense(4), "c", [square.Value], null, tied, _ => true)).Message);
        Assert.Equal("d (dense): it has no parameter weigth; it has weight, bias",
            Assert.Throws<GraphException>(() => Network.Input(4).Then(new Dense(4), "d", null, new Dictionary<string, string> { ["weigth"] = "w" })).Message);
        Assert.Equal("a (parameter): the name is taken by another node; names must be unique",
            Assert.Throws<GraphException>(() => square.Then(new Dense(4), "e", null, new Dictionary<string, string> { ["weight"] = "a" })).Message);
    }

    [Fact]
    public void FrozenParametersAreNotTrained()
    {
        GraphBuilder builder = new();
        Value x = builder.Input("x", new TensorType(Shape.OfSamples(3)));
        Graphs.Graph graph = builder.Build(builder.Layer(new Dense(2), "layer", [x], frozen: slot => slot == "weight"));
        Assert.False(((Parameter)graph["layer.weight"].Op).Trainable);
        Assert.True(((Parameter)graph["layer.bias"].Op).Trainable);
        Assert.Equal(2, graph.ParameterCount);
    }

    private sealed record Faulty : Op
    {
        public override string Kind => "faulty";

        public override System.Collections.Immutable.ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs) =>
            [new ParameterSlot("weight", dataInputs[1].Shape, ConstantInitializer.Zeros)];

        public override System.Collections.Immutable.ImmutableArray<TensorType> Infer(ShapeScope scope) => throw scope.Error("2 inputs", "1");

        public override void Run<T>(in KernelContext<T> context)
        {
        }
    }
}
