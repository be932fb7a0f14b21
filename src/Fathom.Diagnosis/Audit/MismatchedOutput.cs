using Fathom.Graphs.Ops;
using Fathom.Training.Losses;

namespace Fathom.Diagnosis.Audit;

/// <summary>The output's function does not suit the loss or the targets: a softmax before a loss with a softmax of its own, and the like.</summary>
public sealed class MismatchedOutput : AuditRule
{
    public override string Id => "FTH010";

    public override string Problem => "output does not suit the loss";

    public override string Threshold => "a table of output activation, loss and kind of target: an error where the loss cannot fall or falls to something else, a warning where the gradient fades or half of the output's range is of no use";

    public override string Cause => Causes.WrongOutputOrLoss;

    public override Finding? Inspect(AuditScope scope) =>
        OutputMatch.Of(scope.Model.Graph, scope.Model.Plan.Loss, scope.Rows).FirstOrDefault() is { } mismatch
            ? Found(mismatch.Fails ? Severity.Error : Severity.Warning, $"{mismatch.Problem}.", $"{char.ToUpperInvariant(mismatch.Action[0])}{mismatch.Action[1..]}.", [("output_columns", OutputMatch.Columns(scope.Model.Graph), double.NaN)], [mismatch.Output.Name], ["loss", "output"]) with { IsFinal = IsConstant(scope, mismatch) }
            : null;

    /// <summary>A row of one number divided by its sum is 1 whatever the weights: no gradient comes back, now or later.</summary>
    private static bool IsConstant(AuditScope scope, OutputMismatch mismatch) =>
        mismatch.Fails && OutputMatch.Columns(scope.Model.Graph) == 1 && (mismatch.Output.Op is Softmax || scope.Model.Plan.Loss is CrossEntropy);
}
