using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class SlowConvergenceMessage() : MessageCase("FTH064", Stage.Training, "has fallen by [0-9.]+ %", "limit 15 %")
{
    public override Subject Sick => SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.03, epochs: 3);

    public override Subject Healthy => HealthyRelu();
}
