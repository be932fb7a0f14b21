using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class EpsilonFloorMessage() : MessageCase("FTH053", Stage.Training, "For [0-9.]+ % of the weights", "limit 50 %")
{
    public override Subject Sick => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, optimizer: new Adam(1e-3, Epsilon: 30));

    public override Subject Healthy => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, epochs: 15, optimizer: new Adam(1e-3));
}
