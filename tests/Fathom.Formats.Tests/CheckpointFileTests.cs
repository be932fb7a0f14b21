using Fathom.Compute;
using Fathom.Formats.SafeTensors;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Formats.Tests;

public sealed class CheckpointFileTests : IDisposable
{
    private static readonly DataSplit Data = DataSource.Open("digits", new DataOptions { Seed = 3 });

    private readonly string file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

    public void Dispose() => File.Delete(file);

    [Fact]
    public void ASessionGoesOnFromAFile()
    {
        using TrainingSession saved = Session(new Adam());
        saved.Step();
        CheckpointFile.Write(file, saved);
        using TrainingSession resumed = Session(new Adam());
        CheckpointFile.Restore(file, resumed);
        saved.Step();
        resumed.Step();
        Assert.Equal(saved.Parameters.Values.Span.ToArray(), resumed.Parameters.Values.Span.ToArray());
    }

    [Fact]
    public void WhatAClippingRuleRemembersIsKeptToTheLastBit()
    {
        using TrainingSession saved = Session(new Sgd(0.1), new AutoClip(Window: 6));
        for (int i = 0; i < 9; i++)
        {
            saved.Step();
        }
        CheckpointFile.Write(file, saved);
        using TrainingSession resumed = Session(new Sgd(0.1), new AutoClip(Window: 6));
        CheckpointFile.Restore(file, resumed);
        Assert.Equal(saved.Capture().Clipping, resumed.Capture().Clipping);
        Assert.Equal(6, resumed.Capture().Clipping[0]);
    }

    [Fact]
    public void TheOptimizerMustBeTheSame()
    {
        using TrainingSession adam = Session(new Adam());
        CheckpointFile.Write(file, adam);
        using TrainingSession nadam = Session(new Nadam());
        TrainingException error = Assert.Throws<TrainingException>(() => CheckpointFile.Restore(file, nadam));
        Assert.Equal($"{file}: the checkpoint was written with the optimizer 'adam', this run has 'nadam'; they must be the same for a run to go on", error.Message);
    }

    [Fact]
    public void ACheckpointThatDoesNotNameItsOptimizerIsRefused()
    {
        using TrainingSession session = Session(new Sgd());
        CheckpointFile.Write(file, session);
        SafeTensorsFile written = SafeTensorsFile.Open(file);
        SafeTensorEntry[] tensors = [.. written.Names.Select(name => SafeTensorEntry.Of(name, [.. written.Tensor(name).Shape], written.Tensor(name).ToSingles()))];
        SafeTensorsFile.Write(file, tensors, written.Metadata.Where(pair => pair.Key != "fathom.optimizer_kind").ToDictionary());
        SafeTensorsException error = Assert.Throws<SafeTensorsException>(() => CheckpointFile.Restore(file, session));
        Assert.StartsWith($"{file}: the checkpoint does not say which optimizer its run has", error.Message, StringComparison.Ordinal);
    }

    private static TrainingSession Session(Optimizer optimizer, GradientClipping? clipping = null) => new(
        new ModelDefinition("test", Network.Input(64).Dense(8).Sigmoid().Dense(10).Build(), new TrainingPlan { Loss = new CrossEntropy(), Optimizer = optimizer, Clipping = clipping }),
        Data, WorkerPool.Single);
}
