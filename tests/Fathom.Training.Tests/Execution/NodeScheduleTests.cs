using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;

namespace Fathom.Training.Tests.Execution;

public sealed class NodeScheduleTests
{
    [Fact]
    public void ItHoldsWhatIsAskedForAndTheInputs()
    {
        GraphBuilder builder = new();
        Value x = builder.Input("x", new TensorType(Shape.OfSamples(3)));
        builder.Input("unread", new TensorType(Shape.OfSamples(3)));
        Value wanted = builder.Layer(new Dense(4), "wanted", [x]);
        Value other = builder.Layer(new Dense(4), "other", [x]);
        Graphs.Graph graph = builder.Build(wanted, other);
        NodeSchedule schedule = NodeSchedule.For(graph, 5, [wanted]);
        Assert.Equal(["x", "unread", "wanted.weight", "wanted.bias", "wanted"], schedule.Nodes.Select(node => node.Name));
        Assert.Equal(-1, schedule.NumberOf(other));
        int number = schedule.NumberOf(wanted);
        Assert.Equal("wanted", schedule.Nodes[schedule.WriterOf(number)].Name);
        Assert.Equal([5, 4], schedule.ShapeOf(number).Extents);
        Assert.Equal(["x", "wanted.weight", "wanted.bias"], schedule.Inputs(4).ToArray().Select(input => schedule.Nodes[schedule.WriterOf(input)].Name));
        Assert.Equal([[5, 3], [4, 3], [4]], schedule.InputShapes(4).ToArray());
    }

    [Fact]
    public void AValueOfAnotherGraphIsRefused()
    {
        Graphs.Graph one = Network.Input(3).Dense(4).Build(), other = Network.Input(3).Dense(4).Build();
        Assert.Equal(-1, NodeSchedule.All(one, 5).NumberOf(other.Output));
        Assert.Contains("dense_1", Assert.Throws<GraphException>(() => NodeSchedule.For(one, 5, [other.Output])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void PlacesOfOneTurnKeepTheirOrder() =>
        Assert.Equal([1, 4, 3, 0, 2, 5], NodeSchedule.ByTurn([2, -1, 2, 0, -1, 7]));
}
