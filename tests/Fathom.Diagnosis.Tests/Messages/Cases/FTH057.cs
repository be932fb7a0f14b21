using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class SmallNormalizationBatchMessage() : MessageCase("FTH057", Stage.Training, "of 3 values a channel", "limit 8")
{
    public override Subject Sick => OptimizerRuleTests.Batch(SickNetworks.Chain(3, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal, rate: 0.01, epochs: 1), 3);

    public override Subject Healthy => SickNetworks.Chain(3, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal, rate: 0.05, epochs: 15);
}
