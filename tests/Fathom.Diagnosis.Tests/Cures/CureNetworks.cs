using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>Small networks to be made sick.</summary>
internal static class CureNetworks
{
    public static NetworkCursor Line() => Network.Input(8).Dense(1);

    /// <summary>A sound hidden layer over the digits.</summary>
    public static NetworkCursor Body() => Network.Input(64).Dense(32, VarianceScaling.HeNormal).Relu();

    public static ModelDefinition Values(NetworkCursor network, Optimizer optimizer, int epochs = 5, int batch = 32) =>
        new("values", network.Build(), new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = optimizer, BatchSize = batch, Epochs = epochs });

    public static ModelDefinition Digits(NetworkCursor network, Optimizer? optimizer = null, Loss? loss = null, int batch = 32) =>
        new("digits", network.Build(), new TrainingPlan { Loss = loss ?? new CrossEntropy(), Optimizer = optimizer ?? new Sgd(0.1, 0.5), BatchSize = batch, Epochs = 5 });

    /// <summary>Two features, two classes.</summary>
    public static ModelDefinition Plane(NetworkCursor network) =>
        new("plane", network.Build(), new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Adam(0.01), BatchSize = 32, Epochs = 20 });

    public static ModelDefinition Chain(int depth, Func<NetworkCursor, NetworkCursor> activation, Initializer weight, Optimizer? optimizer = null, double bias = 0, int epochs = 5) =>
        SickNetworks.Chain(depth, activation, weight, bias: new ConstantInitializer(bias), optimizer: optimizer ?? new Sgd(0.1, 0.5), epochs: epochs);

    /// <summary>Layers that narrow, so that no shortcut fits without a projection.</summary>
    public static NetworkCursor Funnel()
    {
        NetworkCursor at = Network.Input(64);
        for (int width = 40; width >= 20; width -= 2)
        {
            at = at.Dense(width, new VarianceScaling(0.1, FanMode.In, WeightDistribution.Normal)).Tanh();
        }
        return at.Dense(10);
    }

    /// <summary>Residual blocks of two layers, x + W₂·relu(W₁·x), without normalization.</summary>
    public static NetworkCursor Branches(int blocks, Initializer weight) =>
        Network.Input(64).Dense(32).Repeat(blocks, block => block.Residual(branch => branch.Dense(32, weight).Relu().Dense(32, weight))).Dense(10);

    /// <summary>Post-norm encoder blocks over the rows of an image.</summary>
    public static ModelDefinition Encoder(int blocks, double rate = 3e-3)
    {
        NetworkCursor at = Network.Input(8, 8).Dense(16).PositionalEmbedding(8);
        for (int i = 1; i <= blocks; i++)
        {
            at = at.TransformerBlock(2, 32, NormPosition.Post, name: $"block_{i}");
        }
        return Digits(at.Mean([1]).Dense(10), new Adam(rate));
    }

    public static DataSplit Sequences(DataSplit data) => new(Rows(data.Training), Rows(data.Validation));

    /// <summary>One recurrent layer whose last state tells the class.</summary>
    public static ModelDefinition Recurrence(RecurrentCell cell, int steps, Initializer? recurrent = null, Optimizer? optimizer = null, double forget = 1)
    {
        NetworkCursor at = Network.Input(steps, 1);
        Dictionary<string, Initializer> initial = recurrent is null ? [] : new() { ["weight_hh"] = recurrent };
        at = cell == RecurrentCell.Rnn
            ? at.Rnn(16, initializers: initial)
            : at.Lstm(16, initializers: new Dictionary<string, Initializer> { ["bias_ih"] = new ForgetGateBias(forget) });
        return new ModelDefinition("recall", at.Last().Dense(2).Build(), new TrainingPlan { Loss = new CrossEntropy(), Optimizer = optimizer ?? new Adam(0.005), BatchSize = 32, Epochs = 10 });
    }

    public static ModelDefinition Clipped(ModelDefinition model, double norm) => model with { Plan = model.Plan with { Clipping = new ClipByGlobalNorm(norm) } };

    private static DataSet Rows(DataSet data) => DataSet.OfLabels(data.Name, [8, 8], data.Inputs.ToArray(), data.Labels.ToArray(), data.Classes);
}
