using Fathom.Training.Optimizers;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class DivergenceMessage() : MessageCase("FTH051", Stage.Training, "[0-9]", "[0-9]")
{
    public override Subject Sick => Line(1.05);

    public override Subject Healthy => Line(0.1);

    /// <summary>The squared error's curvature along unit inputs is 2, so that any rate above 1 diverges.</summary>
    private static Subject Line(double rate) => new(StepMeasurementTests.Line(new Sgd(rate), TrainingPlan.FullBatch, 60), StepMeasurementTests.Linear(noise: 0.1));
}
