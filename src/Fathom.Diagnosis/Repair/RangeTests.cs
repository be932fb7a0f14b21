using Fathom.Compute;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Diagnosis.Preflight;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// Learning-rate range tests in a search: as short as they can be, and charged for like any other steps. Only the network as
/// given is tested; a candidate's own rate is found by trying its neighbours.
/// </summary>
internal sealed class RangeTests(DataSplit data, WorkerPool pool, double fullRun, CostBook cost, ModelDefinition given, CancellationToken cancellation)
{
    /// <summary>A test takes an eighth of the steps of a run, and no fewer or more than this.</summary>
    private const int Share = 8, Fewest = 25, Most = 100;

    /// <summary>Rates from 10⁻⁶ to 10 are tested: learning rates that anybody has used lie within.</summary>
    private const double Least = 1e-6, Largest = 10;

    private static readonly LearningRateRange Unknown = new([], double.NaN, double.NaN, double.NaN, "not tested");

    public LearningRateRange Test(ModelDefinition model)
    {
        int batch = Math.Min(model.Plan.BatchSize, data.Training.Count);
        long total = (data.Training.Count + batch - 1) / batch * (long)model.Plan.Epochs;
        if (!ReferenceEquals(model, given) || total / Share < Fewest)
        {
            return Unknown;
        }
        TestedRange tested = cost.Memo.Find<TestedRange>(Piece.RangeTest) ?? Run(model, (int)Math.Min(Most, total / Share));
        cost.Add(DoctorStage.Trials, tested.Steps * StepWork.Of(model, data.Training.Count) / fullRun);
        return new LearningRateRange([], tested.Low, tested.High, double.NaN, "completed");
    }

    private TestedRange Run(ModelDefinition model, int steps)
    {
        TestedRange tested;
        try
        {
            LearningRateRange range = LearningRateRange.Test(model, data, pool, steps, Least, Largest, progress: null, cancellation);
            cancellation.ThrowIfCancellationRequested();
            tested = new TestedRange(range.Low, range.High, range.Steps.Length);
        }
        catch (TrainingException)
        {
            tested = new TestedRange(double.NaN, double.NaN, 0);
        }
        cost.Compute(tested.Steps * StepWork.Of(model, data.Training.Count) / fullRun, again: false);
        cost.Memo.Keep(Piece.RangeTest, tested);
        return tested;
    }

    /// <summary>What a test came to, as a journal keeps it.</summary>
    private sealed record TestedRange(double Low, double High, int Steps);
}
