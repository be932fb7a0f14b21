using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class BatchNormExplosionMessage() : MessageCase("FTH048", Stage.Training, "grows by ×[0-9.]+ per layer .*by [0-9.]+ decades", "[0-9]+ is the limit")
{
    public override Subject Sick => SickNetworks.Chain(40, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal, optimizer: new Adam(0.001));

    public override Subject Healthy => SickNetworks.Chain(6, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal, rate: 0.05, epochs: 15);
}
