using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class NonFiniteDataMessage() : MessageCase("FTH016", Stage.Audit, "has 1 input that is no number", "none is allowed")
{
    public override Subject Sick => new(FaultyData.Model(Network.Input(8).Dense(1).Build(), new Sgd(0.1)), FaultyData.Regression(input: float.NaN));

    public override Subject Healthy => new(FaultyData.Model(Network.Input(8).Dense(1).Build(), new Sgd(0.1)), FaultyData.Regression());
}

internal sealed class NonFiniteTargetMessage() : MessageCase("FTH016", Stage.Audit, "has 1 target that is no number", "none is allowed", "target")
{
    public override Subject Sick => new(FaultyData.Model(Network.Input(8).Dense(1).Build(), new Sgd(0.1)), FaultyData.Regression(target: float.PositiveInfinity));

    public override Subject Healthy => new(FaultyData.Model(Network.Input(8).Dense(1).Build(), new Sgd(0.1)), FaultyData.Regression());
}
