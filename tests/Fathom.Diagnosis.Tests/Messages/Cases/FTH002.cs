using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class ExplodingGradientMessage() : MessageCase("FTH002", Stage.Training, @"grows to [0-9.e+]+ times its size", @"limit 1000; theory expects")
{
    internal static ModelDefinition Exploding => SickNetworks.Chain(15, net => net.Relu(), new VarianceScaling(6, FanMode.In, WeightDistribution.Normal), rate: 1e-3);

    public override Subject Sick => Exploding;

    public override Subject Healthy => HealthyRelu(5);
}

internal sealed class StepsThatReplaceWeightsMessage() : MessageCase("FTH002", Stage.Training, "changes dense_[0-9]+ by [0-9.]+ % of its weights", "limit 30 %; about 0.1 % is healthy, CS231n", "rate")
{
    public override Subject Sick => SickNetworks.Chain(3, net => net.Tanh(), VarianceScaling.XavierNormal, rate: 300);

    public override Subject Healthy => SickNetworks.Chain(3, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 15);
}

internal sealed class ExplodingAtStartMessage() : MessageCase("FTH002", Stage.Preflight, "grows to [0-9.e+]+ of its size", "limit 1000; theory expects")
{
    public override Subject Sick => ExplodingGradientMessage.Exploding;

    public override Subject Healthy => HealthyRelu(5);
}

internal sealed class ExplodingOverTimeMessage() : MessageCase("FTH002", Stage.Preflight, "grows to [0-9.e+]+ of its size", "limit 1000; theory expects", "time")
{
    public override Subject Sick => VanishingOverTimeMessage.Memory(60, 2);

    public override Subject Healthy => VanishingOverTimeMessage.Memory(10);
}
