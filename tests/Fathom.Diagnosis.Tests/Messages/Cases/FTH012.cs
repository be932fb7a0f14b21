using Fathom.Diagnosis.Tests.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class TargetOutOfRangeMessage() : MessageCase("FTH012", Stage.Audit, "[0-9.]+ % of the targets of .made. lie outside", "an error below 0.9")
{
    public override Subject Sick => new(Plan(Network.Input(4).Dense(1).Relu().Build(), new MeanSquaredError()), Made.Values(x => x));

    public override Subject Healthy => new(Plan(Network.Input(4).Dense(1).Build(), new MeanSquaredError()), Made.Values(x => x));
}

internal sealed class TargetOutOfLossMessage() : MessageCase("FTH012", Stage.Audit, "go from -[0-9.]+ to [0-9.]+", "takes shares from 0 to 1", "loss")
{
    public override Subject Sick => new(Plan(Network.Input(4).Dense(1).Build(), new BinaryCrossEntropy()), Made.Values(x => x));

    public override Subject Healthy => new(Plan(Network.Input(4).Dense(1).Build(), new BinaryCrossEntropy()), Made.Values(x => (x + 1) / 2));
}

internal sealed class TargetOutOfHingeMessage() : MessageCase("FTH012", Stage.Audit, "100 % of the targets of .made. are neither -1 nor 1", "none is allowed", "hinge")
{
    public override Subject Sick => new(Plan(Network.Input(4).Dense(1).Build(), new Hinge()), Made.Values(x => x / 2));

    public override Subject Healthy => new(Plan(Network.Input(4).Dense(1).Build(), new Hinge()), Made.Values(x => x < 0 ? -1 : 1));
}
