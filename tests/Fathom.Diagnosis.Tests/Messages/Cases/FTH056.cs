using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class LongMomentumMessage() : MessageCase("FTH056", Stage.Training, "by [0-9.]+ %, where 0.1 % is healthy", "limit 0.98")
{
    public override Subject Sick => SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 10, optimizer: new Sgd(0.5, 0.99));

    /// <summary>Such runs take another path with every rounding.</summary>
    public override double Rounding => 0.5;

    public override Subject Healthy => SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, epochs: 15, optimizer: new Sgd(0.002, 0.99));
}
