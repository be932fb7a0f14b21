using Fathom.Diagnosis.Tests.Audit;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class LeakedRowsMessage() : MessageCase("FTH019", Stage.Audit, "10 of 110 validation rows", "9.1 %; limit 1 %")
{
    public override Subject Sick
    {
        get
        {
            DataSplit data = Made.Classes();
            DataSet rows = data.Training, others = data.Validation;
            DataSet leaked = DataSet.OfLabels("leaked", others.RowShape, [.. others.Inputs, .. rows.Inputs.Slice(50 * 4, 10 * 4)], [.. others.Labels, .. rows.Labels.Slice(50, 10)], 3);
            return new(Chain(4, 3), data with { Validation = leaked });
        }
    }

    public override Subject Healthy => new(Chain(4, 3), Made.Classes());
}
