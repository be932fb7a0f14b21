using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class LearningRateTooSmallMessage() : MessageCase("FTH006", Stage.Training, "by only [0-9.e-]+ of its weights a step", @"1e-3 is healthy, CS231n\), [0-9.e-]+ % in all [0-9]+ steps \(limit 10 %\)")
{
    public override Subject Sick => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6);

    public override Subject Healthy => HealthyRelu();
}

/// <summary>The loss falls, but the run will be over before it gets anywhere.</summary>
internal sealed class FallsTooSlowlyMessage() : MessageCase("FTH006", Stage.Training, "the loss is still [0-9.]+ at the end", "limit [0-9.]+, 55 % of a constant prediction's", "slow")
{
    public override Subject Sick => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 2.5e-3, epochs: 10);

    public override Subject Healthy => HealthyRelu();
}

internal sealed class SmallFirstStepMessage() : MessageCase("FTH006", Stage.Preflight, "by only [0-9.e-]+ of its weights", @"1e-3 is healthy, CS231n\), and all 200 steps together by [0-9.e-]+ % \(limit 10 %\)")
{
    public override Subject Sick => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6);

    public override Subject Healthy => HealthyRelu();
}
