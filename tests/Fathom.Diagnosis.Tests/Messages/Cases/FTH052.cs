using Fathom.Training.Clipping;
using Fathom.Training.Optimizers;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class StepsOvershootMessage() : MessageCase("FTH052", Stage.Training, "[0-9]", "[0-9]")
{
    public override Subject Sick => Line(2);

    public override Subject Healthy => Line(0.05);

    /// <summary>Clipped steps of length 2 on a squared error of curvature 2: from one slope of the valley to the other.</summary>
    private static Subject Line(double rate)
    {
        ModelDefinition line = StepMeasurementTests.Line(new Sgd(rate), 200, 40);
        return new(line with { Plan = line.Plan with { Clipping = new ClipByGlobalNorm(1) } }, StepMeasurementTests.Linear(noise: 0.1));
    }
}
