using Fathom.Diagnosis.Tests.Audit;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Graphs;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Messages.Cases;

internal sealed class OverfittingMessage() : MessageCase("FTH063", Stage.Training, "[0-9]", "threshold ×[0-9.]+")
{
    public override Subject Sick => new(Classifier(60), Made.Classes(rows: 120, features: 8, labels: i => i * 7919 % 31 % 3));

    public override Subject Healthy => HealthyRelu();

    private static ModelDefinition Classifier(int epochs) => new("classes", Network.Input(8).Dense(48, VarianceScaling.HeNormal).Relu().Dense(48, VarianceScaling.HeNormal).Relu().Dense(3, VarianceScaling.XavierNormal).Build(),
        new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Adam(0.01), BatchSize = 16, Epochs = epochs });
}
