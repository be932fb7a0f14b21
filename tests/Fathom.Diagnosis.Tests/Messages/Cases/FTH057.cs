using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class SmallNormalizationBatchMessage() : MessageCase("FTH057", Stage.Training, "[0-9]", "[0-9]")
{
    public override Subject Sick => Batch(3, 1);

    public override Subject Healthy => Batch(16, 8);

    private static ModelDefinition Batch(int batch, int epochs)
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal, rate: 0.03, epochs: epochs);
        return model with { Plan = model.Plan with { BatchSize = batch } };
    }
}
