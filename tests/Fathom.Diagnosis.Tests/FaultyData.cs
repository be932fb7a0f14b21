using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>Small data sets made on the spot, with one value that is out of the ordinary.</summary>
internal static class FaultyData
{
    /// <summary>64 rows of 8 normal numbers and a target that is noise; one input of row 3 is replaced.</summary>
    public static DataSplit Regression(float? input = null, float? target = null)
    {
        Random random = new(5);
        float[] inputs = [.. Enumerable.Range(0, 64 * 8).Select(_ => (float)Normal(random))];
        float[] targets = [.. Enumerable.Range(0, 64).Select(_ => (float)Normal(random))];
        inputs[3 * 8 + 2] = input ?? inputs[3 * 8 + 2];
        targets[3] = target ?? targets[3];
        DataSet data = DataSet.OfTargets("made", [8], inputs, targets);
        return new DataSplit(data, data);
    }

    public static ModelDefinition Model(Graph network, Optimizer optimizer, int epochs = 3, int batch = 64) =>
        new("made", network, new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = optimizer, BatchSize = batch, Epochs = epochs });

    public static RunOutcome Run(ModelDefinition model, DataSplit data)
    {
        using WatchedRun run = new(model, data);
        run.Advance();
        return run.Outcome();
    }

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
