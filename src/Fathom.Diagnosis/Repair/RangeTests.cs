using Fathom.Compute;
using Fathom.Diagnosis.Preflight;
using Fathom.Diagnosis.Repair.Journal;
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
        int steps = (int)Math.Min(Most, total / Share);
        if (cost.Memo.Find<LearningRateRange>(Piece.RangeTest) is { } known)
        {
            cost.Add(DoctorStage.Trials, Portion(known));
            return known;
        }
        try
        {
            LearningRateRange range = LearningRateRange.Test(model, data, pool, steps, Least, Largest, progress: null, cancellation);
            cancellation.ThrowIfCancellationRequested();
            cost.Add(DoctorStage.Trials, Portion(range));
            cost.Compute(Portion(range), again: false);
            cost.Memo.Keep(Piece.RangeTest, range);
            return range;
        }
        catch (TrainingException)
        {
            return Unknown;
        }
    }

    private double Portion(LearningRateRange range) => range.Steps.Length * StepWork.Of(given, data.Training.Count) / fullRun;
}
