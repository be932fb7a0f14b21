namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class ClippingDominatesMessage() : MessageCase("FTH059", Stage.Training, "100 % of the steps are clipped", "limit 90 %")
{
    public override Subject Sick => RunRuleTests.Clipped(1e-5);

    public override Subject Healthy => HealthyRelu();
}
