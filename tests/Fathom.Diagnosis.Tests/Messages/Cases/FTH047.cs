using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Graphs;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class ShatteredGradientMessage() : MessageCase("FTH047", Stage.Preflight, "correlate by [0-9.e-]+", "[0-9.]+ is the limit")
{
    public override Subject Sick => SickNetworks.Chain(30, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal);

    public override Subject Healthy => HealthyRelu(4);
}
