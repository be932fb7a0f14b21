namespace Fathom.Diagnosis.Tests.Messages.Cases;

/// <summary>A rate just beyond 2 over the curvature.</summary>
internal sealed class DivergenceMessage() : MessageCase("FTH051", Stage.Training, "has risen to [0-9.]+, ×[0-9.]+", "limit ×2")
{
    public override Subject Sick => new(RunRuleTests.Diverging(), RunRuleTests.Linear(outlier: false));

    /// <summary>Such runs take another path with every rounding.</summary>
    public override double Rounding => 0.5;

    public override Subject Healthy => new(RunRuleTests.Line(12), RunRuleTests.Linear(outlier: false));
}
