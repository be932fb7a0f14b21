using Fathom.Diagnosis.Tests.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Optimizers;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class ContradictingTargetsMessage() : MessageCase("FTH020", Stage.Audit, "more than 93.8 %", "limit 99 %")
{
    public override Subject Sick
    {
        get
        {
            DataSplit data = Made.Classes();
            return new(Chain(4, 3), data with { Training = DuplicatedRowsMessage.Repeated(data.Training, 20, label => (label + 1) % 3) });
        }
    }

    public override Subject Healthy => new(Chain(4, 3), Made.Classes());
}

internal sealed class ContradictingValuesMessage() : MessageCase("FTH020", Stage.Audit, "R² on them above [0-9.]+", "limit 0.99", "values")
{
    public override Subject Sick
    {
        get
        {
            DataSet rows = FaultyData.Regression().Training;
            DataSet twice = DataSet.OfTargets("twice", [8], [.. rows.Inputs, .. rows.Inputs], [.. rows.Targets.ToArray().Select(target => target + 1), .. rows.Targets.ToArray().Select(target => target - 1)]);
            return new(FaultyData.Model(Network.Input(8).Dense(1).Build(), new Sgd(0.1)), new DataSplit(twice, rows.Subset([0])));
        }
    }

    public override Subject Healthy => new(FaultyData.Model(Network.Input(8).Dense(1).Build(), new Sgd(0.1)), FaultyData.Regression());
}
