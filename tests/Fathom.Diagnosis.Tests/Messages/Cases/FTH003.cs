using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class SaturatedActivationMessage() : MessageCase("FTH003", Stage.Training, "[0-9.]+ % of the outputs of tanh_[0-9]", "limit 50 %; theory expects [0-9.]+ %")
{
    internal static ModelDefinition Saturated => SickNetworks.Chain(4, net => net.Tanh(), new NormalInitializer(0, 3), rate: 0.001);

    public override Subject Sick => Saturated;

    public override Subject Healthy => SickNetworks.Chain(4, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 15);
}

internal sealed class SaturatedAtStartMessage() : MessageCase("FTH003", Stage.Preflight, "[0-9.]+ % of the outputs of tanh_[0-9]", "limit 50 %; theory expects [0-9.]+ %")
{
    public override Subject Sick => SaturatedActivationMessage.Saturated;

    public override Subject Healthy => SickNetworks.Chain(4, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 15);
}
