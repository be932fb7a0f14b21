using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class RunningStatisticsOffMessage() : MessageCase("FTH058", Stage.Training, "[0-9]", "[0-9]")
{
    public override Subject Sick => SickNetworks.Chain(3, net => net.BatchNorm(momentum: 0.0005).Relu(), new NormalInitializer(0, 1), epochs: 8, optimizer: new Adam(0.003));

    public override Subject Healthy => SickNetworks.Chain(3, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal, epochs: 8, optimizer: new Adam(0.003));
}
