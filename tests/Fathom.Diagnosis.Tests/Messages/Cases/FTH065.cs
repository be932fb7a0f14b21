using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

/// <summary>Gradient descent beyond 2/λ on a quadratic: the error grows by the same factor in each step.</summary>
internal sealed class NearOverflowMessage() : MessageCase("FTH065", Stage.Training, @"has reached [0-9.]+e\+9 and grows [0-9.]+-fold a step", @"3\.4e\+38.*within the 40 steps that are the limit")
{
    public override Subject Sick => new(
        new ModelDefinition("linear", Network.Input(8).Dense(1, VarianceScaling.XavierNormal).Build(),
            new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Sgd(3), BatchSize = TrainingPlan.FullBatch, Epochs = 2000 }),
        FaultyData.Regression());

    /// <summary>The targets there are noise, so that another network stands for one that learns.</summary>
    public override Subject Healthy => HealthyRelu();
}
