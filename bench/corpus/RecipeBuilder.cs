using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Corpus;

/// <summary>Makes network, plan and data from a recipe.</summary>
internal static class RecipeBuilder
{
    private const double Tiny = 1e-4, Huge = 60, Deadly = -30;

    public static ModelDefinition Model(Recipe recipe, string name, ulong seed)
    {
        (NetworkCursor output, Loss loss) = Finish(recipe, Body(recipe));
        TrainingPlan plan = new()
        {
            Loss = loss,
            Optimizer = recipe.Step.ToOptimizer(),
            BatchSize = recipe.Batch,
            Epochs = recipe.Epochs,
            Seed = seed,
            Clipping = recipe.Clip > 0 ? new ClipByGlobalNorm(recipe.Clip) : null,
        };
        return new ModelDefinition(name, output.Build(), plan);
    }

    public static DataSplit Data(Recipe recipe) =>
        Synthetic.WithLabelNoise(Synthetic.Rescale(recipe.Task.Data, recipe.InputScale, recipe.InputShift), recipe.LabelNoise);

    private static NetworkCursor Body(Recipe recipe) => recipe.Family switch
    {
        Family.Chain => Chain(recipe),
        Family.Residual => ResidualChain(recipe),
        Family.Convolutional => Convolutions(recipe),
        Family.Recurrent => Recurrence(recipe),
        _ => Encoder(recipe),
    };

    private static NetworkCursor Chain(Recipe recipe)
    {
        NetworkCursor at = Network.Input(recipe.Task.Data.Training.Features);
        for (int layer = 1; layer <= recipe.Depth; layer++)
        {
            at = Activate(recipe, Normalize(recipe, Hidden(recipe, at, layer)));
        }
        return at;
    }

    /// <summary>A projection to the width, then blocks of two layers with a way around (pre-activation; He et al. 2016).</summary>
    private static NetworkCursor ResidualChain(Recipe recipe)
    {
        NetworkCursor at = Hidden(recipe, Network.Input(recipe.Task.Data.Training.Features), 1);
        for (int layer = 2; layer < recipe.Depth; layer += 2)
        {
            int first = layer;
            at = at.Residual(branch => Hidden(recipe, Activate(recipe, Normalize(recipe,
                Hidden(recipe, Activate(recipe, Normalize(recipe, branch)), first))), first + 1));
        }
        return Activate(recipe, Normalize(recipe, at));
    }

    private static NetworkCursor Convolutions(Recipe recipe)
    {
        NetworkCursor at = Network.Input(1, 8, 8);
        for (int layer = 1; layer <= recipe.Depth; layer++)
        {
            (Initializer weight, Initializer bias) = Initial(recipe, layer);
            at = at.Conv2d(recipe.Width, 3, padding: Padding.Same, weight: weight, bias: bias, name: $"conv_{layer}");
            at = Activate(recipe, Normalize(recipe, at));
            if (layer == (recipe.Depth + 1) / 2)
            {
                at = at.MaxPool2d(2);
            }
        }
        return at.Flatten();
    }

    private static NetworkCursor Recurrence(Recipe recipe)
    {
        DataSet data = recipe.Task.Data.Training;
        NetworkCursor at = data.RowShape.Length == 2 ? Network.Input(data.RowShape[0], data.RowShape[1]) : Network.Input(8, data.Features / 8);
        for (int layer = 1; layer <= recipe.Depth; layer++)
        {
            Dictionary<string, Initializer> initial = recipe.Weights.Kind == "default" ? []
                : new() { ["weight_hh"] = recipe.Weights.ToInitializer() };
            at = recipe.Cell switch
            {
                Cell.Rnn => at.Rnn(recipe.Width, recipe.Activation == "relu" ? RecurrentActivation.Relu : RecurrentActivation.Tanh, initializers: initial, name: $"rnn_{layer}"),
                Cell.Lstm => at.Lstm(recipe.Width, name: $"lstm_{layer}"),
                _ => at.Gru(recipe.Width, name: $"gru_{layer}"),
            };
        }
        return at.Last();
    }

    private static NetworkCursor Encoder(Recipe recipe)
    {
        NetworkCursor at = Network.Input(8, 8).Dense(recipe.Width, name: "embed").PositionalEmbedding(8);
        for (int layer = 1; layer <= recipe.Depth; layer++)
        {
            at = at.TransformerBlock(2, 2 * recipe.Width, recipe.PostNorm ? NormPosition.Post : NormPosition.Pre, name: $"block_{layer}");
        }
        return (recipe.PostNorm ? at : at.LayerNorm()).Mean([1]);
    }

    private static NetworkCursor Hidden(Recipe recipe, NetworkCursor at, int layer)
    {
        (Initializer weight, Initializer bias) = Initial(recipe, layer);
        return at.Dense(recipe.Width, weight, bias, name: $"hidden_{layer}");
    }

    private static (Initializer Weight, Initializer Bias) Initial(Recipe recipe, int layer)
    {
        Initializer weight = recipe.Weights.ToInitializer(), bias = new ConstantInitializer(recipe.BiasStart);
        return layer != recipe.ChangedLayer ? (weight, bias) : recipe.Change switch
        {
            LayerChange.Zero => (ConstantInitializer.Zeros, ConstantInitializer.Zeros),
            LayerChange.Tiny => (new VarianceScaling(Tiny * Tiny, FanMode.In, WeightDistribution.Normal), bias),
            LayerChange.Huge => (new VarianceScaling(Huge * Huge, FanMode.In, WeightDistribution.Normal), bias),
            LayerChange.NegativeBias => (weight, new ConstantInitializer(Deadly)),
            _ => (weight, bias),
        };
    }

    private static NetworkCursor Normalize(Recipe recipe, NetworkCursor at) => recipe.BatchNorm ? at.BatchNorm() : at;

    private static NetworkCursor Activate(Recipe recipe, NetworkCursor at) => recipe.Activation switch
    {
        "relu" => at.Relu(),
        "leaky_relu" => at.LeakyRelu(0.1),
        "elu" => at.Elu(),
        "selu" => at.Selu(),
        "gelu" => at.Gelu(),
        "silu" => at.Silu(),
        "tanh" => at.Tanh(),
        "sigmoid" => at.Sigmoid(),
        "softsign" => at.Softsign(),
        "hard_tanh" => at.HardTanh(),
        _ => throw new CorpusException($"unknown activation '{recipe.Activation}'"),
    };

    private static (NetworkCursor Output, Loss Loss) Finish(Recipe recipe, NetworkCursor body)
    {
        LearningTask task = recipe.Task;
        int units = recipe.Output is OutputRule.Sigmoid or OutputRule.SoftmaxOverOne or OutputRule.LinearProbability ? 1 : task.Outputs;
        NetworkCursor last = body.Dense(units, VarianceScaling.XavierUniform, ConstantInitializer.Zeros, name: "output");
        return recipe.Output switch
        {
            OutputRule.Softmax => (last.Softmax(), new CrossEntropy(FromLogits: false)),
            OutputRule.Sigmoid => (last.Sigmoid(), new BinaryCrossEntropy(FromLogits: false)),
            OutputRule.SoftmaxTwice => (last.Softmax(), new CrossEntropy()),
            OutputRule.SoftmaxOverOne when task.Regression => (last.Softmax(), new MeanSquaredError()),
            OutputRule.SoftmaxOverOne => (last.Softmax(), new BinaryCrossEntropy(FromLogits: false)),
            OutputRule.Relu => (last.Relu(), task.Regression ? new MeanSquaredError() : new CrossEntropy()),
            OutputRule.SoftmaxSquared => (last.Softmax(), new MeanSquaredError()),
            OutputRule.LinearProbability => (last, new BinaryCrossEntropy(FromLogits: false)),
            OutputRule.SigmoidOverClasses => (last.Sigmoid(), new CrossEntropy(FromLogits: false)),
            OutputRule.SigmoidValues => (last.Sigmoid(), new MeanSquaredError()),
            _ => (last, task.Regression ? new MeanSquaredError() : new CrossEntropy()),
        };
    }
}
