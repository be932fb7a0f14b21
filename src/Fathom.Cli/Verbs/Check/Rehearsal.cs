using Fathom.Compute;
using Fathom.Diagnosis.Preflight;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Cli.Verbs.Check;

/// <summary>
/// Measures a toy network on a thread of its own while model and data are being read. The runtime compiles a method when it is
/// first called, which for a small model takes far longer than all of the measuring; this way it is done when it is needed.
/// </summary>
internal static class Rehearsal
{
    /// <summary>Begins, where a second processor can do it beside the first. Nobody waits for its end, and its result is thrown away.</summary>
    public static void Begin()
    {
        if (Environment.ProcessorCount > 1)
        {
            new Thread(Run) { IsBackground = true, Name = "rehearsal" }.Start();
        }
    }

    private static void Run()
    {
        try
        {
            const int rows = 8, features = 16;
            Graph network = Network.Input(features).Dense(features).Sigmoid().Dense(2).Build();
            ModelDefinition model = new("rehearsal", network, new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(0.1), BatchSize = rows });
            float[] inputs = [.. Enumerable.Range(0, rows * features).Select(i => i % 7 - 3f)];
            DataSet data = DataSet.OfLabels(model.Name, [features], inputs, [.. Enumerable.Range(0, rows).Select(row => row % 2)], 2);
            using WorkerPool pool = new(2);
            MeasuredPreflight.Run(model, new DataSplit(data, data), SignalPropagation.Predict(network, DataMoments.Standardized),
                PreflightOptions.Default with { Seeds = 2, Spectrum = false, Correlations = false }, pool);
        }
        catch (Exception error) when (error is TrainingException or GraphException or InsufficientMemoryException)
        {
            // The real run meets the same, and says so.
        }
    }
}
