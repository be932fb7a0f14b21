using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class WeightDecayMessage() : MessageCase("FTH033", Stage.Training, "shrunk to [0-9.]+ of their initial norm", "limit a third")
{
    public override Subject Sick => SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 10, optimizer: new Sgd(0.05, 0.9, WeightDecay: 0.3));

    public override Subject Healthy => SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 15, optimizer: new Sgd(0.05, 0.9, WeightDecay: 1e-4));
}
