using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class StepsOvershootMessage() : MessageCase("FTH052", Stage.Training, "[0-9.]+ % of the measured steps", "limit 40 %")
{
    public override Subject Sick => new(OptimizerRuleTests.Bouncing(), StepMeasurementTests.Linear(noise: 0.1));

    /// <summary>Such runs take another path with every rounding.</summary>
    public override double Rounding => 0.5;

    public override Subject Healthy => new(StepMeasurementTests.Line(new Sgd(0.05), 200, 40), StepMeasurementTests.Linear(noise: 0.1));
}
