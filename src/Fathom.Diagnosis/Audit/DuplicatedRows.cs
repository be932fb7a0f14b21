using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>Training rows that are there more than once: they count as often in the loss.</summary>
public sealed class DuplicatedRows : AuditRule
{
    private const double Many = 0.1, Some = 0.01;

    /// <summary>Rows are few possibilities' worth if there are fewer than this many possible rows for each.</summary>
    private const double Room = 100;

    public override string Id => "FTH018";

    public override string Problem => "duplicated rows";

    public override string Threshold => "training rows whose inputs equal those of an earlier row, bit for bit: a warning from 10 % up, a note from 1 % up. Where there are few possible rows, as with tokens and with features of few values, repeats are natural: a note";

    public override string Cause => Causes.Other;

    public override Finding? Inspect(AuditScope scope)
    {
        if (scope.Groups is not { } groups || groups.Repeats < Some * scope.Rows!.Count || scope.Features!.Ranges.All(range => range == 0))
        {
            return null; // rows that are all alike are ConstantInput's
        }
        double share = (double)groups.Repeats / scope.Rows.Count;
        bool natural = HasFewPossibleRows(scope);
        int[] largest = groups.Repeated.MaxBy(group => group.Length)!;
        return Found(natural || share < Many ? Severity.Info : Severity.Warning,
            $"{groups.Repeats} of {scope.Rows.Count} training rows of '{scope.Rows.Name}' ({Percent(share)}; limit {Percent(natural || share < Many ? Some : Many)}) repeat the inputs of an earlier row; row {largest[0] + 1} is there {largest.Length} times.",
            natural ? "Leave them: there are few possible rows, so that repeats are natural." : "Leave them out unless they are meant.",
            [("repeated_rows", share, Many)], details: "They count as often in the loss, and what is drawn from them for validation is known already.");
    }

    /// <summary>Whether rows repeat because the inputs have few values.</summary>
    internal static bool HasFewPossibleRows(AuditScope scope)
    {
        if (scope.ReadsIndices)
        {
            return true;
        }
        Training.Data.DataSet rows = scope.Rows!;
        int seen = Math.Min(rows.Count, 1000);
        double possible = 1;
        for (int feature = 0; feature < rows.Features && possible <= Room * rows.Count; feature++)
        {
            HashSet<float> values = [];
            for (int row = 0; row < seen; row++)
            {
                values.Add(rows.Inputs[row * rows.Features + feature]);
            }
            possible *= values.Count;
        }
        return possible <= Room * rows.Count;
    }
}
