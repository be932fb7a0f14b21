using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class LargeFirstStepMessage() : MessageCase("FTH008", Stage.Preflight, "move dense_[0-9] by [0-9.e+]+ % of its weights", "limit 30 %; 0.1 % is healthy, CS231n")
{
    public override Subject Sick => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1000);

    public override Subject Healthy => HealthyRelu();
}
