using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests;

/// <summary>Networks that read indices, from data to trained weights.</summary>
public sealed class IndexInputTests
{
    [Fact]
    public void ATableOfTokensIsTrained()
    {
        DataSplit data = DataSource.Open("brackets?length=6&kinds=2&samples=2000");
        ModelDefinition model = Model(Network.Indices(6).Embedding(5, 8, paddingIndex: 0, name: "tokens").Flatten().Dense(32).Relu().Dense(2).Build());
        using WorkerPool pool = new(1);
        using TrainingSession session = new(model, data, pool);
        while (!session.Finished)
        {
            session.Step();
        }
        Assert.True(session.Evaluate(data.Validation).Metric > 0.95, $"accuracy {session.Evaluate(data.Validation).Metric}");
        float[] table = session.Parameters.Value(session.Parameters.Find("tokens.weight")).Span.ToArray();
        Assert.All(table[..8], value => Assert.Equal(0, value)); // the padding row
    }

    [Theory]
    [InlineData(0.5f, "'tokens', row 2, value 3: 0.5 is no index; the network's input (N, 3) of indices takes whole numbers from 0 to 4")]
    [InlineData(5f, "'tokens', row 2, value 3: 5 is no index; the network's input (N, 3) of indices takes whole numbers from 0 to 4")]
    [InlineData(-1f, "'tokens', row 2, value 3: -1 is no index; the network's input (N, 3) of indices takes whole numbers from 0 to 4")]
    [InlineData(float.NaN, "'tokens', row 2, value 3: NaN is no index; the network's input (N, 3) of indices takes whole numbers from 0 to 4")]
    public void AValueThatIsNoIndexIsRefused(float wrong, string expected)
    {
        DataSet data = DataSet.OfLabels("tokens", [3], [0, 1, 4, 2, 3, wrong], [0, 1], 2);
        ModelDefinition model = Model(Network.Indices(3).Embedding(5, 2).Flatten().Dense(2).Build());
        using WorkerPool pool = new(1);
        Assert.Equal(expected, Assert.Throws<TrainingException>(() => new TrainingSession(model, new DataSplit(data, data), pool)).Message);
    }

    private static ModelDefinition Model(Graph network) => new("tokens", network, new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Adam(), Epochs = 60, BatchSize = 32, Seed = 1 });
}
