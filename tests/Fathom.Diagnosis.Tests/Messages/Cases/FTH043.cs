using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Graphs;
using Fathom.Training.Optimizers;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class DyingUnitsMessage() : MessageCase("FTH043", Stage.Training, "[0-9.]+ % of 64 units", "at this pace 50 % are dead by step")
{
    public override Subject Sick => Wide(0.02);

    public override Subject Healthy => Wide(0.002);

    private static ModelDefinition Wide(double rate) => SickNetworks.Chain(4, net => net.Relu(), VarianceScaling.HeNormal, epochs: 40, optimizer: new Adam(rate)) with
    {
        Graph = Network.Input(64).Repeat(4, net => net.Dense(64, VarianceScaling.HeNormal).Relu()).Dense(10, VarianceScaling.XavierNormal).Build(),
    };
}
