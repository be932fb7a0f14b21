using Fathom.Diagnosis.Tests.Audit;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class HeavyDropoutMessage() : MessageCase("FTH024", Stage.Audit, "drops 95 %", "limit 80 %; Srivastava et al. 2014")
{
    public override Subject Sick => HiddenLayerAuditTests.Dropping(0.95);

    public override Subject Healthy => HiddenLayerAuditTests.Dropping(0.2);
}

internal sealed class DroppedAnswersMessage() : MessageCase("FTH024", Stage.Audit, "drops 50 % of the network's own answers", "no dropout \\(limit 0\\) belongs", "answers")
{
    public override Subject Sick => HiddenLayerAuditTests.DroppingAnswers(0.5);

    public override Subject Healthy => HiddenLayerAuditTests.DroppingAnswers(0);
}
