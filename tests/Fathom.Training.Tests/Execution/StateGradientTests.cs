using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests.Execution;

/// <summary>The gradient by a recurrent layer's state at every time step.</summary>
public sealed class StateGradientTests
{
    private const int Steps = 12;

    private static ModelDefinition Model(int index = 0) => new("adding",
        Network.Input(Steps, 2).Lstm(5, name: "lstm").Gru(4, name: "gru", reverse: true).Select(index, name: "first").Dense(1).Build(),
        new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Sgd { LearningRate = 0.01 }, BatchSize = 8, Epochs = 1 });

    [Fact]
    public void EveryTimeStepOfEveryRecurrentLayerIsWatched()
    {
        using WorkerPool pool = new(1);
        DataSplit data = DataSource.Open($"adding?length={Steps}&samples=40");
        using TrainingSession session = new(Model(), data, pool);
        session.Step();
        foreach ((string layer, int units) in new[] { ("lstm", 5), ("gru", 4) })
        {
            int[] probes = [.. Enumerable.Range(0, session.Probes.Count).Where(i => session.Probes[i].Kind == ProbeKind.StateGradient && session.Probes[i].Node.Name == layer)];
            Assert.Equal(Enumerable.Range(0, Steps), probes.Select(i => session.Probes[i].TimeStep));
            Assert.Equal(Enumerable.Range(1, Steps).Select(t => $"{layer} gradient at t={t}"), probes.Select(i => session.Probes[i].ToString()));
            Assert.All(probes, i => Assert.Equal(8 * units, session.Watch!.Statistics[i].Count));
            Assert.True(probes.Select(i => session.Watch!.Statistics[i].L2).Distinct().Count() == Steps, "each time step has a norm of its own");
        }
    }

    [Fact]
    public void TheProbesMeasureTheSlicesOfTheTrace()
    {
        using WorkerPool pool = new(1);
        ModelDefinition model = Model();
        DataSplit data = DataSource.Open($"adding?length={Steps}&samples=40");
        using TrainingSession session = new(model, data, pool);
        Dictionary<string, TracedTensor> weights = session.Parameters.Slices.ToDictionary(slice => slice.Name,
            slice => new TracedTensor(slice.Shape.Bind(1), session.Parameters.Value(slice).Span.ToArray()));
        float[] x = new float[8 * Steps * 2];
        float[] target = new float[8];
        int next = 0;
        foreach (int row in new BatchOrder(data.Training.Count, 8, model.Plan.Seed).Rows(0))
        {
            data.Training.Inputs.Slice(row * Steps * 2, Steps * 2).CopyTo(x.AsSpan(next * Steps * 2));
            target[next++] = data.Training.Targets[row];
        }
        BatchTrace trace = BatchTrace.Run(model, weights, 8, x, target, pool, training: true);
        session.Step();
        Assert.Equal(["lstm", "gru"], trace.StateGradients.Keys);
        foreach ((string layer, TracedTensor states) in trace.StateGradients)
        {
            Assert.Equal([Steps, 8, layer == "lstm" ? 5 : 4], states.Shape);
            int width = states.Elements.Length / Steps;
            for (int i = 0; i < session.Probes.Count; i++)
            {
                if (session.Probes[i] is { Kind: ProbeKind.StateGradient } probe && probe.Node.Name == layer)
                {
                    double norm = Math.Sqrt(states.Elements.AsSpan(probe.TimeStep * width, width).ToArray().Sum(value => (double)value * value));
                    Assert.Equal(norm, session.Watch!.Statistics[i].L2, 1e-6 * norm);
                }
            }
        }
    }

    /// <summary>Only the last state of the upper layer is read: reading time backwards, that is the one at t = 1.</summary>
    [Fact]
    public void AStateThatNothingReadsHasNoGradient()
    {
        using WorkerPool pool = new(1);
        using TrainingSession session = new(Model(index: Steps - 1), DataSource.Open($"adding?length={Steps}&samples=40"), pool);
        session.Step();
        for (int i = 0; i < session.Probes.Count; i++)
        {
            if (session.Probes[i] is { Kind: ProbeKind.StateGradient, Node.Name: "gru" } probe)
            {
                Assert.Equal(probe.TimeStep == Steps - 1, session.Watch!.Statistics[i].L2 > 0);
            }
        }
    }
}
