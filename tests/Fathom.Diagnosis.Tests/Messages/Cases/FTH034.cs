using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class InitialWeightsMessage() : MessageCase("FTH034", Stage.Audit, "are [0-9.]+ times what suits its activation", "limits 1/3 and 2; He et al. 2015, Glorot and Bengio 2010")
{
    public override Subject Sick => SickNetworks.Chain(6, net => net.Relu(), new NormalInitializer(0, 0.01), rate: 0.05);

    public override Subject Healthy => HealthyRelu(5);
}
