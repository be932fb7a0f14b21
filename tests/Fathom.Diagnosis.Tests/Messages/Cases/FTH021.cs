using Fathom.Diagnosis.Tests.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class TooFewRowsMessage() : MessageCase("FTH021", Stage.Audit, "sees 1 row at a time", "needs 4 or more to have a variance \\(Yang et al. 2019")
{
    internal static Subject Of(int batch, bool norm)
    {
        NetworkCursor hidden = Network.Input(4).Dense(8);
        ModelDefinition model = Plan((norm ? hidden.BatchNorm() : hidden).Relu().Dense(3).Build(), new CrossEntropy());
        return new(model with { Plan = model.Plan with { BatchSize = batch } }, Made.Classes());
    }

    public override Subject Sick => Of(1, norm: true);

    public override Subject Healthy => Of(32, norm: true);
}

internal sealed class BatchLargerThanTheDataMessage() : MessageCase("FTH021", Stage.Audit, "The batch is 1000", "has only 300 training rows", "batch")
{
    public override Subject Sick => TooFewRowsMessage.Of(1000, norm: false);

    public override Subject Healthy => TooFewRowsMessage.Of(32, norm: false);
}
