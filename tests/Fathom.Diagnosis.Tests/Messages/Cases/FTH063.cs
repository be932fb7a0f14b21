namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class OverfittingMessage() : MessageCase("FTH063", Stage.Training, "to [0-9.]+, ×[0-9.]+", "limit ×1.25")
{
    public override Subject Sick => new(RunRuleTests.Classifier(60), RunRuleTests.RandomLabels());

    /// <summary>Such runs take another path with every rounding.</summary>
    public override double Rounding => 0.5;

    public override Subject Healthy => HealthyRelu();
}
