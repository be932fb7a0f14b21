using Fathom.Diagnosis.Tests.Audit;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class LinearNetworkMessage() : MessageCase("FTH023", Stage.Audit, "the best linear model learns [0-9.]+ % of these data, where the five nearest rows tell [0-9.]+ %", "limit 30 % apart")
{
    public override Subject Sick => new(HiddenLayerAuditTests.Circles(net => net), HiddenLayerAuditTests.CirclesData);

    public override Subject Healthy => new(HiddenLayerAuditTests.Circles(net => net.Relu()), HiddenLayerAuditTests.CirclesData);
}
