using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class SymmetricUnitsMessage() : MessageCase("FTH030", Stage.Training, "differ by [0-9.e-]+ of the largest", "limit 1e-5\\), where weights drawn at random differ by about 1")
{
    public override Subject Sick => SickNetworks.Chain(3, net => net.Tanh(), new ConstantInitializer(0.3), epochs: 8);

    public override Subject Healthy => SickNetworks.Chain(3, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 15);
}
