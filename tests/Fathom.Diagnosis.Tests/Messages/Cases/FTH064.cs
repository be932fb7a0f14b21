using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class SlowConvergenceMessage() : MessageCase("FTH064", Stage.Training, "has fallen by [0-9.]+ %", "limit 15 %")
{
    public override Subject Sick => new(RunRuleTests.Unfinished(), StepMeasurementTests.Linear(noise: 0.1));

    public override Subject Healthy => new(StepMeasurementTests.Line(new Sgd(2.6e-3), 200, 100), StepMeasurementTests.Linear(noise: 0.1));
}
