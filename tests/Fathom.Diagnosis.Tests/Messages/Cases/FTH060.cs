using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

/// <summary>Targets that are mostly noise, two rows a batch, a large rate.</summary>
internal sealed class GradientNoiseMessage() : MessageCase("FTH060", Stage.Training, "holds up at least [0-9.]+ of the loss", "limit 6")
{
    public override Subject Sick => new(StepMeasurementTests.Line(new Sgd(0.13), 2, 6), StepMeasurementTests.Linear(noise: 3));

    /// <summary>Such runs take another path with every rounding.</summary>
    public override double Rounding => 0.5;

    public override Subject Healthy => new(StepMeasurementTests.Line(new Sgd(0.02), 32, 20), StepMeasurementTests.Linear(noise: 0.1));
}
