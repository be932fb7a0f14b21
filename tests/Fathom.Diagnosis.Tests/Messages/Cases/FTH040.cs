using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Graphs;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class VanishingOverTimeInTrainingMessage() : MessageCase("FTH040", Stage.Training, "falls by [0-9.]+ decades", @"limit [0-9.]+\)")
{
    public override Subject Sick => Sums(net => net.Rnn(32), 0.002);

    public override Subject Healthy => Rows(net => net.Rnn(32));

    internal static Subject Sums(Func<NetworkCursor, NetworkCursor> cell, double rate) => new(
        new ModelDefinition("sums", cell(Network.Input(50, 2)).Select(-1).Dense(1).Build(), new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Adam(rate), BatchSize = 50, Epochs = 10, Clipping = new ClipByGlobalNorm(1) }),
        DataSource.Open("adding?length=50&samples=2000", new DataOptions { Seed = 1 }));

    /// <summary>Eight steps lie within any memory.</summary>
    internal static ModelDefinition Rows(Func<NetworkCursor, NetworkCursor> cell) => new("rows", cell(Network.Input(8, 8)).Select(-1).Dense(10).Build(),
        new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Adam(0.005), BatchSize = 32, Epochs = 10, Clipping = new ClipByGlobalNorm(1) });
}
