using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>Fewer rows than a batch or than classes, or a batch too small for batch normalization.</summary>
public sealed class TooFewRows : AuditRule
{
    /// <summary>Below this a batch's variance says little: the gradient's own moments need more than 3 rows (Yang et al. 2019, theorem 8).</summary>
    private const int LeastNormalized = 4;

    public override string Id => "FTH021";

    public override string Problem => "too few rows";

    public override string Threshold => "an error if batch normalization sees a single value per unit; a warning if it sees fewer than 4 rows at a time (the gradient's variance does not exist at 3, Yang et al. 2019), if the batch is larger than the training set, or if there are fewer rows than classes";

    public override string Cause => Causes.Other;

    public override Finding? Inspect(AuditScope scope)
    {
        TrainingPlan plan = scope.Model.Plan;
        if (scope.Rows is not { Count: > 0 } rows)
        {
            return null;
        }
        int batch = plan.MicroBatch(rows.Count);
        if (scope.Model.Graph.Nodes.FirstOrDefault(node => node.Op is BatchNorm) is { } norm && batch < LeastNormalized)
        {
            bool single = batch == 1 && norm.Inputs[0].Shape.Rank == 2;
            return Found(single ? Severity.Error : Severity.Warning,
                $"{norm.Name} (batch_norm) sees {Count(batch, "row", "rows")} at a time, where its gradient needs {LeastNormalized} or more to have a variance (Yang et al. 2019).",
                $"Take a batch of 16 or more{(plan.Accumulate > 1 ? " or fewer micro-batches" : "")}, or layer_norm or group_norm.",
                [("rows_at_a_time", batch, LeastNormalized)], [norm.Name],
                details: single ? "Of a single row every unit's deviation is 0: the layer puts out a constant and passes on no gradient." : "Mean and variance of so few rows are mostly chance.") with { IsFinal = single };
        }
        if (rows.Kind == TargetKind.Label && rows.Count < rows.Classes)
        {
            return Found(Severity.Warning, $"'{rows.Name}' has {Count(rows.Count, "training row", "training rows")} for {rows.Classes} classes, where each class needs one at the least.",
                "Add rows: classes without any cannot be learnt at all.", [("training_rows", rows.Count, rows.Classes)]);
        }
        return plan.BatchSize == TrainingPlan.FullBatch || plan.BatchSize <= rows.Count ? null
            : Found(Severity.Warning, $"The batch is {plan.BatchSize}, but '{rows.Name}' has only {rows.Count} training rows: an epoch is one step, {plan.Epochs} in the whole run.",
                "Make the batch smaller, or set 'batch: full' if that is meant.", [("batch", plan.BatchSize, rows.Count)]);
    }
}
