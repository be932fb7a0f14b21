using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;

namespace Fathom.Training.Tests.Execution;

public sealed class ParameterStoreTests
{
    [Fact]
    public void ANetworkTooLargeForABlockIsRefusedBeforeItTouchesMemory()
    {
        Graph graph = Network.Input(100_000).Dense(20_000, useBias: false).Dense(20_000, useBias: false).Dense(100_000, useBias: false).Build();
        TrainingException error = Assert.Throws<TrainingException>(() => new ParameterStore<float>(graph));
        Assert.Equal("the network has 4400000000 parameters; at most 2147483647 can be trained", error.Message);
    }
}
