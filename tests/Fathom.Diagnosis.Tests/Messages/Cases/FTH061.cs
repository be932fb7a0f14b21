namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class StuckLayerMessage() : MessageCase("FTH061", Stage.Training, "is exactly 0", "expected: above 0")
{
    public override Subject Sick => OptimizerRuleTests.Branched(0);

    public override Subject Healthy => OptimizerRuleTests.Branched(1, epochs: 15);
}
