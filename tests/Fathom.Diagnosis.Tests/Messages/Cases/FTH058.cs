using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class RunningStatisticsMessage() : MessageCase("FTH058", Stage.Training, "in training and [0-9.]+ in evaluation", "limit ×1.5")
{
    public override Subject Sick => SickNetworks.Chain(3, net => net.BatchNorm(momentum: 0.0005).Relu(), new NormalInitializer(0, 1), epochs: 8, optimizer: new Adam(0.003));

    /// <summary>Such runs take another path with every rounding.</summary>
    public override double Rounding => 0.5;

    public override Subject Healthy => SickNetworks.Chain(3, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal, epochs: 15, optimizer: new Adam(0.003));
}
