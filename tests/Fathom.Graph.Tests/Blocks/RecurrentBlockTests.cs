using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graph.Tests.Blocks;

public sealed class RecurrentBlockTests
{
    [Fact]
    public void LayersAndDirectionsAreNodesWithPyTorchsParameterNames()
    {
        Graphs.Graph graph = Network.Input(7, 3).Lstm(5, layers: 2, bidirectional: true, dropout: 0.2, name: "lstm").Build();
        Assert.Equal(["lstm.0", "lstm.0.reverse", "lstm.0.both", "lstm.0.dropout", "lstm.1", "lstm.1.reverse", "lstm.1.both"],
            graph.Nodes.Where(node => node.Op is not Source).Select(node => node.Name));
        string[] slots = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
        Assert.Equal(
            from layer in (int[])[0, 1] from direction in (string[])["", "_reverse"] from slot in slots select $"lstm.{slot}_l{layer}{direction}",
            graph.Parameters.Select(node => node.Name));
        Assert.Equal(Shape.Of(20, 10), graph["lstm.weight_ih_l1"].Outputs[0].Shape);
        Assert.Equal(Shape.OfSamples(7, 10), graph.Output.Shape);
        Assert.Equal(new Dropout(0.2), graph["lstm.0.dropout"].Op);
    }

    [Fact]
    public void WithoutSequencesEachDirectionGivesItsLastState()
    {
        NetworkCursor start = Network.Input(7, 3);
        NetworkCursor mask = start.Dense(1).Reshape(7);
        Graphs.Graph graph = start.Recurrent(new Recurrent(4, RecurrentCell.Gru, Layers: 2, Bidirectional: true, ReturnSequences: false), mask, name: "gru").Build();
        Assert.Equal(Shape.OfSamples(8), graph.Output.Shape);
        Assert.Equal(new Select(-1), graph["gru.1.last"].Op);
        Assert.Equal(new Select(0), graph["gru.1.reverse.last"].Op);
        Assert.Equal(new Gru(4, Reverse: true, Masked: true), graph["gru.1.reverse"].Op);
        Assert.Equal(mask.Value, graph["gru.1"].Inputs[1]);
    }

    [Fact]
    public void SettingsReachEveryLayer()
    {
        Dictionary<string, Initializer> initializers = new() { ["weight_hh_l1"] = VarianceScaling.HeNormal };
        Graphs.Graph graph = Network.Input(7, 3)
            .Recurrent(new Recurrent(4, RecurrentCell.Rnn, Layers: 2, Activation: RecurrentActivation.Relu, RecurrentBias: false, Truncate: 3), initializers: initializers, name: "rnn").Build();
        Assert.All(["rnn.0", "rnn.1"], name => Assert.Equal(new Rnn(4, RecurrentActivation.Relu, RecurrentBias: false, Truncate: 3), graph[name].Op));
        Assert.Equal(VarianceScaling.HeNormal, ((Parameter)graph["rnn.weight_hh_l1"].Op).Initializer);
        Assert.Equal(new Orthogonal(), ((Parameter)graph["rnn.weight_hh_l0"].Op).Initializer);
    }

    [Fact]
    public void WhatIsWrongNamesTheBlock()
    {
        NetworkCursor x = Network.Input(7, 3);
        Assert.Equal("r (recurrent): layers is 0; it must be 1 or more", Message(() => x.Recurrent(new Recurrent(4, Layers: 0), name: "r")));
        Assert.Equal("s (recurrent): dropout is 1; it must be from 0 to below 1", Message(() => x.Recurrent(new Recurrent(4, Dropout: 1), name: "s")));
        Assert.Equal("t.0 (lstm): units is 0; it must be 1 or more", Message(() => x.Recurrent(new Recurrent(0), name: "t")));
        Assert.Equal("u.0 (lstm): expected a sequence (N, T, features) whose length T and features have fixed sizes, given shape (N, 3)",
            Message(() => Network.Input(3).Recurrent(new Recurrent(2), name: "u")));
        Assert.Equal("v (recurrent): expected 2 inputs, given 1", Message(() => x.Then(new Recurrent(2, Masked: true), "v")));
    }

    private static string Message(Action action) => Assert.Throws<GraphException>(action).Message;
}
