using Fathom.Diagnosis.Tests.Audit;
using Fathom.Graphs.Ops;

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

internal sealed class LoudNoiseMessage() : MessageCase("FTH024", Stage.Audit, "adds noise of the deviation 10", "limit 2; dropout of 0.8 brings as much", "noise")
{
    public override Subject Sick => new(CommonMistakeTests.Network6(before: net => net.GaussianNoise(10)), CommonMistakeTests.Rows());

    public override Subject Healthy => new(CommonMistakeTests.Network6(before: net => net.GaussianNoise(0.05)), CommonMistakeTests.Rows());
}
