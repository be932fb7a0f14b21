using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Regularization;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Tests.Code;

/// <summary>Small models whose code is held against golden text.</summary>
internal static class CodeModels
{
    public static ModelDefinition Of(string name) => name switch
    {
        "Chain" => Chain(),
        "Residual" => Residual(),
        "Sequence" => Sequence(),
        _ => TrainedModels.All.Single(model => model.Name == name),
    };

    private static ModelDefinition Chain() => new("chain", Network.Input(64)
        .Then(new Dense(16), initializers: new Dictionary<string, Initializer> { ["weight"] = VarianceScaling.HeNormal })
        .Then(new BatchNorm()).Then(new Relu()).Then(new Dropout(0.25)).Then(new Dense(10)).Build(), new TrainingPlan
        {
            Loss = new CrossEntropy(),
            Optimizer = new Adam(LearningRate: 0.003),
            Clipping = new ClipByGlobalNorm(),
            Schedule = new WarmupSchedule(Steps: 50),
            Regularization = [new L2(1e-4)],
        }, new DataReference("digits"));

    private static ModelDefinition Residual()
    {
        NetworkCursor trunk = Network.Input(1, 8, 8).Then(new Conv2d(4, 3, Padding: Padding.Same), "stem");
        NetworkCursor branch = trunk.Then(new Relu(), "act").Then(new Conv2d(4, 3, Padding: Padding.Same), "conv").Then(new Scale(0), "gate");
        Graph graph = trunk.Then(new Add(), "sum", others: branch).Then(new MaxPool2d(2), "pool").Then(new Flatten(), "flat").Then(new Dense(10), "head").Build();
        return new ModelDefinition("residual", graph, new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(0.1, 0.9), Schedule = new CosineSchedule() });
    }

    private static ModelDefinition Sequence()
    {
        Graph graph = Network.Indices(12).Then(new Embedding(20, 8)).Then(new Lstm(6)).Then(new Select()).Then(new Dense(2)).Build();
        return new ModelDefinition("sequence", graph, new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new AdamW(), Clipping = new AutoClip() });
    }
}
