using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class NonFiniteValueMessage() : MessageCase("FTH005", Stage.Training, "[0-9]+ of [0-9]+ values are NaN or infinite", "none is allowed")
{
    public override Subject Sick => SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e30);

    public override Subject Healthy => HealthyRelu();
}

internal sealed class NonFiniteInputMessage() : MessageCase("FTH005", Stage.Training, "the input input itself has 1 NaN or infinite value", "none is allowed", "input")
{
    public override Subject Sick => new(FaultyData.Model(Network.Input(8).Dense(16).Relu().Dense(1).Build(), new Sgd(1e-6)), FaultyData.Regression(input: float.NaN));

    public override Subject Healthy => HealthyRelu();
}

internal sealed class NonFiniteAtStartMessage() : MessageCase("FTH005", Stage.Preflight, "the loss is (NaN|∞)", "none is allowed")
{
    public override Subject Sick => SickNetworks.Chain(3, net => net.Relu(), new VarianceScaling(2e40, FanMode.In, WeightDistribution.Normal), rate: 1e-6);

    public override Subject Healthy => HealthyRelu();
}
