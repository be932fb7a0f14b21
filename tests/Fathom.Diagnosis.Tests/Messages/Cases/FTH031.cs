using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class LearningRateTooLargeMessage() : MessageCase("FTH031", Stage.Training, "by about [0-9.]+ % of the weights", "limit 5 %; 0.1 % is healthy, CS231n")
{
    public override Subject Sick => SickNetworks.Chain(4, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 10, optimizer: new Adam(0.05, Beta1: 0.1, Beta2: 0.1));

    /// <summary>Steps that jump about take another path with every rounding.</summary>
    public override double Rounding => 0.5;

    public override Subject Healthy => SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 15, optimizer: new Adam(0.003));
}
