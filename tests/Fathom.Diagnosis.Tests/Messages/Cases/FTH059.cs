using Fathom.Training.Clipping;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class ClippingDominatesMessage() : MessageCase("FTH059", Stage.Training, "[0-9]", "[0-9]")
{
    public override Subject Sick => Clipped(1e-5, 5);

    public override Subject Healthy => Clipped(1, 15);

    private static ModelDefinition Clipped(double norm, int epochs)
    {
        ModelDefinition model = HealthyRelu();
        return model with { Plan = model.Plan with { Epochs = epochs, Clipping = new ClipByGlobalNorm(norm) } };
    }
}
