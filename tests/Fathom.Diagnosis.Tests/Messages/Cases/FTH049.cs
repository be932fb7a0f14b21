using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class InitialWeightScaleMessage() : MessageCase("FTH049", Stage.Training, "weights of rms [0-9.e-]+", "limits ⅓ and 2 times")
{
    public override Subject Sick => SickNetworks.Chain(6, net => net.Relu(), new NormalInitializer(0, 0.01), rate: 0.05);

    public override Subject Healthy => HealthyRelu(5);
}
