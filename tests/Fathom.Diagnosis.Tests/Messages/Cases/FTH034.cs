using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class InitialWeightsMessage() : MessageCase("FTH034", Stage.Audit, "are [0-9.]+ times what suits", "limits 1/3 and 2")
{
    public override Subject Sick => SickNetworks.Chain(6, net => net.Relu(), new NormalInitializer(0, 0.01), rate: 0.05);

    public override Subject Healthy => HealthyRelu(5);
}
