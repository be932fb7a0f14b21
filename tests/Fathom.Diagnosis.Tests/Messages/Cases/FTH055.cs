using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class ShortMemoryMessage() : MessageCase("FTH055", Stage.Training, "[0-9]", "[0-9]")
{
    public override Subject Sick => SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 10, optimizer: new Adam(0.05, Beta1: 0.1, Beta2: 0.1));

    public override Subject Healthy => SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 10, optimizer: new Adam(0.003));

    /// <summary>Steps that jump about take another path with every rounding.</summary>
    public override double Rounding => 0.5;
}
