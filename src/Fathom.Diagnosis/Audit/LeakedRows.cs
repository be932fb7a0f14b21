using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>Validation rows that were trained on: their accuracy says nothing about new data.</summary>
public sealed class LeakedRows : AuditRule
{
    private const double Share = 0.01;

    public override string Id => "FTH019";

    public override string Problem => "validation rows among the training rows";

    public override string Threshold => "1 % of the validation rows or more have the inputs of a training row, bit for bit; Barz and Denzler 2020 found 3 % and 10 % of near-duplicates in the test sets of CIFAR-10 and CIFAR-100, which changed published rankings. A note where there are few possible rows, as with tokens";

    public override string Cause => Causes.Other;

    public override Finding? Inspect(AuditScope scope)
    {
        if (scope.Groups is not { } groups || scope.Data!.Validation is not { Count: > 0 } validation || validation.Features != scope.Rows!.Features
            || ReferenceEquals(validation, scope.Rows) || scope.Features!.Ranges.All(range => range == 0))
        {
            return null;
        }
        int known = 0, first = -1, twin = -1;
        for (int row = 0; row < validation.Count; row++)
        {
            if (groups.Find(validation, row) is >= 0 and int match)
            {
                (first, twin) = known++ == 0 ? (row, match) : (first, twin);
            }
        }
        double share = (double)known / validation.Count;
        if (known == 0 || share < Share)
        {
            return null;
        }
        bool natural = DuplicatedRows.HasFewPossibleRows(scope);
        return Found(natural ? Severity.Info : Severity.Warning,
            $"{known} of {validation.Count} validation rows ({Percent(share)}; limit {Percent(Share)}) have the inputs of a training row; validation row {first + 1} is training row {twin + 1}.",
            natural ? "Take the validation result for too good by that much: with few possible rows, repeats are natural." : "Leave duplicates out before the rows are parted.",
            [("validation_rows_trained_on", share, Share)], details: "What was trained on says nothing about new data: the validation result is too good.");
    }
}
