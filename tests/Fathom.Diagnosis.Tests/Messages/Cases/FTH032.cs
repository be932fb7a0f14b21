using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

/// <summary>Targets that are noise: nothing can be learnt, and no measurement says why.</summary>
internal sealed class NotLearningMessage() : MessageCase("FTH032", Stage.Training, "is [0-9.]+ % of a constant prediction's", "limit [0-9]+ %")
{
    public override Subject Sick => new(FaultyData.Model(Network.Input(8).Dense(4, VarianceScaling.HeNormal).Relu().Dense(1, VarianceScaling.XavierNormal).Build(), new Sgd(0.05), epochs: 30, batch: 16), FaultyData.Regression());

    public override Subject Healthy => HealthyRelu();
}
