using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Graph.Tests;

public sealed class LayerReadersTests
{
    [Fact]
    public void AnActivationBelongsToTheLastLayerWithWeightsBeforeIt()
    {
        Graphs.Graph graph = Network.Input(8).Dense(8).Dense(8).Then(new BatchNorm()).Then(new Dropout(0.1)).Tanh().Dense(2).Build();
        LayerReaders readers = new(graph);

        Assert.Null(readers.ActivationAfter(graph["dense_1"]));
        Assert.Equal("tanh_1", readers.ActivationAfter(graph["dense_2"])?.Name);
        Assert.Null(readers.ActivationAfter(graph["dense_3"]));
    }

    [Fact]
    public void AResidualAdditionBesideTheActivationDoesNotHideIt()
    {
        NetworkCursor stem = Network.Input(8).Dense(8);
        Graphs.Graph graph = stem.Sigmoid().Add(stem).Dense(2).Build();
        LayerReaders readers = new(graph);

        Assert.Equal(["sigmoid_1", "add_1"], readers.Of(graph["dense_1"].Output).Select(node => node.Name));
        Assert.Equal("sigmoid_1", readers.ActivationAfter(graph["dense_1"])?.Name);
    }
}
