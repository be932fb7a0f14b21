using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class GradientNoiseMessage() : MessageCase("FTH060", Stage.Training, "[0-9]", "[0-9]")
{
    public override Subject Sick => new(StepMeasurementTests.Line(new Sgd(0.15), 4, 6), StepMeasurementTests.Linear(noise: 3));

    public override Subject Healthy => new(StepMeasurementTests.Line(new Sgd(0.01), 4, 6), StepMeasurementTests.Linear(noise: 0.3));
}
