using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Regularization;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Tests.Code;

/// <summary>
/// Networks of six kinds, each with a training plan of its own and small data that it learns: their code is run, and has to
/// train as Fathom does. Nothing in them is drawn while they train, and no optimizer that divides by a gradient's size has a
/// parameter without a gradient (a bias before batch normalization, attention's bias of keys): rounding would move it.
/// </summary>
internal static class TrainedModels
{
    public static IReadOnlyList<ModelDefinition> All { get; } =
    [
        new("Feedforward", Network.Input(64).Then(new Dense(32, Bias: false), initializers: new Dictionary<string, Initializer> { ["weight"] = VarianceScaling.HeNormal })
            .Then(new BatchNorm()).Then(new Relu()).Then(new Dense(10)).Build(), new TrainingPlan
            {
                Loss = new CrossEntropy(), Optimizer = new AdamW(0.003, WeightDecay: 0.05), Clipping = new ClipByGlobalNorm(), Schedule = new WarmupSchedule(Steps: 50), Regularization = [new L2(1e-3)], Epochs = 4,
            }, new DataReference("digits")),
        new("Convolution", Network.Input(1, 8, 8).Then(new Conv2d(8, 3, Padding: Padding.Same)).Then(new GroupNorm(2)).Then(new Gelu()).Then(new MaxPool2d(2))
            .Then(new Conv2d(16, 3)).Then(new Elu()).Then(new Flatten()).Then(new Dense(10)).Build(), new TrainingPlan
            {
                Loss = new CrossEntropy(LabelSmoothing: 0.1), Optimizer = new Sgd(0.05, 0.9, WeightDecay: 1e-3, Nesterov: true), Schedule = new CosineSchedule(Hold: 0.6), Epochs = 4,
            }, new DataReference("digits")),
        new("LongShortTerm", Network.Input(12, 2).Then(new Lstm(16)).Then(new Select()).Then(new Dense(1)).Build(), new TrainingPlan
            {
                Loss = new MeanSquaredError(), Optimizer = new Adam(LearningRate: 0.01), Clipping = new ClipByValue(0.1), BatchSize = 40, Epochs = 20,
            }, new DataReference("adding?length=12&samples=1000")),
        new("Transformer", Network.Input(8, 8).Then(new Dense(16)).Then(new PositionalEmbedding(8)).TransformerBlock(2, 32).Then(new LayerNorm()).Then(new Mean([1])).Then(new Dense(10)).Build(), new TrainingPlan
            {
                Loss = new CrossEntropy(), Optimizer = new Sgd(0.05, 0.9), Schedule = new ExponentialSchedule(0.9), Epochs = 5,
            }, new DataReference("digits")),
        new("Shortcuts", Shortcuts(), new TrainingPlan
            {
                Loss = new CrossEntropy(), Optimizer = new RmsProp(0.003, Momentum: 0.5), Clipping = new ClipByTensorNorm(0.5), Schedule = new StepSchedule(1, 0.5), Epochs = 4,
            }, new DataReference("digits")),
        new("Binary", Network.Input(2).Then(new Dense(16)).Then(new Tanh()).Then(new Dense(16)).Then(new LeakyRelu(0.1)).Then(new Dense(1)).Build(), new TrainingPlan
            {
                Loss = new BinaryCrossEntropy(), Optimizer = new Adagrad(0.05), Regularization = [new L1(1e-4, Vectors: true)], BatchSize = 50, Epochs = 30,
            }, new DataReference("moons?noise=0.1")),
    ];

    public static DataSplit Data(ModelDefinition model) => DataSource.Open(model.Data!.Source, new DataOptions { Seed = 1 });

    private static Graph Shortcuts()
    {
        NetworkCursor trunk = Network.Input(1, 8, 8).Then(new Conv2d(8, 3, Padding: Padding.Same), "stem");
        NetworkCursor branch = trunk.Then(new Relu(), "act").Then(new Conv2d(8, 3, Padding: Padding.Same), "conv").Then(new Scale(0.5), "gate");
        return trunk.Then(new Add(), "sum", others: branch).Then(new AvgPool2d(2), "pool").Then(new Flatten(), "flat").Then(new PRelu(), "slope").Then(new Dense(10), "head").Build();
    }
}
