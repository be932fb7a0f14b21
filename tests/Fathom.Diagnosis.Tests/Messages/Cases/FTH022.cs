using Fathom.Diagnosis.Tests.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class UnscaledTargetMessage() : MessageCase("FTH022", Stage.Audit, "standard deviation [0-9.e+]+", @"limit 100\), and the learning rate times their size is [0-9.e+]+ \(limit 100")
{
    public override Subject Sick => new(Plan(Network.Input(4).Dense(1).Build(), new MeanSquaredError()), Made.Values(x => 1e4 * x));

    public override Subject Healthy => new(Plan(Network.Input(4).Dense(1).Build(), new MeanSquaredError()), Made.Values(x => x));
}

internal sealed class SmallTargetMessage() : MessageCase("FTH022", Stage.Audit, "standard deviation [0-9.e-]+", "limit 1e-3 for the deviation", "small")
{
    public override Subject Sick => new(Plan(Network.Input(4).Dense(1).Build(), new MeanSquaredError()), Made.Values(x => 1e-5 * x));

    public override Subject Healthy => new(Plan(Network.Input(4).Dense(1).Build(), new MeanSquaredError()), Made.Values(x => x));
}

internal sealed class ConstantTargetMessage() : MessageCase("FTH022", Stage.Audit, "standard deviation is 0", "any above 1e-7", "constant")
{
    public override Subject Sick => new(Plan(Network.Input(4).Dense(1).Build(), new MeanSquaredError()), Made.Values(_ => 3));

    public override Subject Healthy => new(Plan(Network.Input(4).Dense(1).Build(), new MeanSquaredError()), Made.Values(x => x));
}
