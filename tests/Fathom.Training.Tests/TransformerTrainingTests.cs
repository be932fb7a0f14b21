using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests;

public sealed class TransformerTrainingTests
{
    [Fact]
    public void ASmallTransformerLearnsDigitsRowByRow()
    {
        DataSplit digits = DataSource.Open("digits", new DataOptions { Seed = 3 });
        NetworkCursor network = Network.Input(8, 8).Dense(32).PositionalEmbedding().TransformerBlock(new TransformerBlock(4, 64, QkNorm: QueryKeyNorm.Rms)).LayerNorm().Mean([1]).Dense(10);
        using WorkerPool pool = new(1);
        using TrainingSession session = new(Model(network.Build(), epochs: 8), digits, pool);
        while (!session.Finished)
        {
            session.Step();
        }
        double accuracy = session.Evaluate(digits.Validation).Metric;
        Assert.True(accuracy > 0.9, $"accuracy {accuracy}");
    }

    [Fact]
    public void WeightsAreBitIdenticalForAnyNumberOfThreads()
    {
        DataSplit data = DataSource.Open("brackets?samples=300&length=10");
        float[] one = Train(1);
        Assert.All(one, value => Assert.True(float.IsFinite(value)));
        Assert.Equal(one, Train(2));
        Assert.Equal(one, Train(4));

        float[] Train(int threads)
        {
            NetworkCursor tokens = Network.Indices(10);
            NetworkCursor network = tokens.Embedding(5, 24, paddingIndex: 0).SinusoidalPositions()
                .TransformerBlock(new TransformerBlock(3, Dropout: 0.1, AttentionDropout: 0.1, Causal: true), tokens.PaddingMask()).Max([1]).Dense(2);
            using WorkerPool pool = new(threads);
            using TrainingSession session = new(Model(network.Build(), epochs: 2), data, pool);
            while (!session.Finished)
            {
                session.Step();
            }
            return session.Parameters.Values.Span.ToArray();
        }
    }

    private static ModelDefinition Model(Graph network, int epochs) =>
        new("transformer", network, new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Adam(0.003), Epochs = epochs, BatchSize = 32, Seed = 1 });
}
