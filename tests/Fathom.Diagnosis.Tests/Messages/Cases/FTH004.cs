using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class DeadReluMessage() : MessageCase("FTH004", Stage.Training, "32 of 32 units of relu_[0-9]", "half of a layer is the limit")
{
    internal static ModelDefinition Sunken => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.01, bias: new ConstantInitializer(-8));

    public override Subject Sick => Sunken;

    public override Subject Healthy => HealthyRelu();
}

internal sealed class DeadAtStartMessage() : MessageCase("FTH004", Stage.Preflight, "100 % of the units of relu_[0-9]", "half of a layer is the limit")
{
    public override Subject Sick => DeadReluMessage.Sunken;

    public override Subject Healthy => HealthyRelu();
}
