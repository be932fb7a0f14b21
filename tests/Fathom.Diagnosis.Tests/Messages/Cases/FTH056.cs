using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class LongMomentumMessage() : MessageCase("FTH056", Stage.Training, "[0-9]", "[0-9]")
{
    public override Subject Sick => SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 10, optimizer: new Sgd(0.5, 0.99));

    public override Subject Healthy => SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 15, optimizer: new Sgd(0.02, 0.9));

    /// <summary>Steps that jump about take another path with every rounding.</summary>
    public override double Rounding => 0.5;
}
