using Fathom.Diagnosis.Tests.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class OutputWidthMessage() : MessageCase("FTH011", Stage.Audit, "has 2 columns", "labels of .made. go up to 2")
{
    public override Subject Sick => new(Chain(4, 2), Made.Classes());

    public override Subject Healthy => new(Chain(4, 3), Made.Classes());
}

internal sealed class UnusedColumnsMessage() : MessageCase("FTH011", Stage.Audit, "has 10 columns, but only 3 classes", "limit: half of the columns", "unused")
{
    public override Subject Sick => new(Chain(4, 10), Made.Classes());

    public override Subject Healthy => new(Chain(4, 3), Made.Classes());
}

internal sealed class TargetValuesMessage() : MessageCase("FTH011", Stage.Audit, "gives 3 values per sample", "has 1 target value", "values")
{
    public override Subject Sick => new(Plan(Network.Input(4).Dense(3).Build(), new MeanSquaredError()), Made.Values(x => x));

    public override Subject Healthy => new(Plan(Network.Input(4).Dense(1).Build(), new MeanSquaredError()), Made.Values(x => x));
}
