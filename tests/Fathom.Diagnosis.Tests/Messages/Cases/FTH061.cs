using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Graphs;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class StuckLayerMessage() : MessageCase("FTH061", Stage.Training, "branch: the gradient by the weights is exactly 0", "expected: above 0")
{
    public override Subject Sick => Of(0);

    public override Subject Healthy => Of(1);

    private static Subject Of(double factor)
    {
        NetworkCursor trunk = Network.Input(64).Dense(32, VarianceScaling.XavierNormal).Tanh();
        return HealthyRelu() with { Graph = trunk.Add(trunk.Dense(32, VarianceScaling.XavierNormal, name: "branch").Rescaling(factor)).Dense(10, VarianceScaling.XavierNormal).Build() };
    }
}
