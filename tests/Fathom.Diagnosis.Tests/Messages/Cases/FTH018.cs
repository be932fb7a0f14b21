using Fathom.Diagnosis.Tests.Audit;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class DuplicatedRowsMessage() : MessageCase("FTH018", Stage.Audit, "60 of 360 training rows", "16.7 %; limit 10 %")
{
    public override Subject Sick
    {
        get
        {
            DataSplit data = Made.Classes();
            return new(Chain(4, 3), data with { Training = Repeated(data.Training, 60) });
        }
    }

    public override Subject Healthy => new(Chain(4, 3), Made.Classes());

    /// <summary>The rows, and the first of them once more.</summary>
    internal static DataSet Repeated(DataSet rows, int again, Func<int, int>? label = null) => DataSet.OfLabels("repeated", rows.RowShape,
        [.. rows.Inputs, .. rows.Inputs[..(again * rows.Features)]], [.. rows.Labels, .. rows.Labels[..again].ToArray().Select(label ?? (same => same))], rows.Classes);
}
