
namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class DyingUnitsMessage() : MessageCase("FTH043", Stage.Training, "[0-9.]+ % of 64 units", "50 % are dead by step [0-9]+")
{
    public override Subject Sick => UnitRuleTests.Dying;

    public override Subject Healthy => HealthyRelu();

    /// <summary>After 600 steps the counts differ by some units.</summary>
    public override double Rounding => 0.5;
}
