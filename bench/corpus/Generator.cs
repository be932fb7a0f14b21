using static Fathom.Corpus.Family;

namespace Fathom.Corpus;

/// <summary>One network of the corpus.</summary>
/// <param name="Number">Its number, from 0.</param>
/// <param name="Recipe">Its settings.</param>
/// <param name="Fault">What was put into it on purpose, or null. Whether it makes the network sick, its outcome decides.</param>
/// <param name="Seed">Seed of the watched run.</param>
internal sealed record CorpusCase(int Number, Recipe Recipe, Fault? Fault, ulong Seed)
{
    /// <summary>From here on networks are for judging, up to <see cref="AfterTest"/>.</summary>
    private const int FirstOfTest = 1600;

    /// <summary>From here on networks were drawn later, to see on fresh ones what a change of the repair does; they are no test part.</summary>
    private const int AfterTest = 2200;

    /// <summary>
    /// From here on each network has one bad layer, since too few of the others have one to say how well a layer is located. They are
    /// counted apart, since so many of one kind would bend every other figure.
    /// </summary>
    public const int FirstWithBadLayer = 10_000;

    /// <summary>
    /// Thresholds may be chosen on the first networks only, and on those drawn later. Among the first are former test parts; they have
    /// been looked at since, so that nothing is proven on them any more. Of the networks with one bad layer the odd ones are for judging.
    /// </summary>
    public bool IsTest => HasBadLayer ? Number % 2 == 1 : Number is >= FirstOfTest and < AfterTest;

    /// <summary>Whether one layer was made bad on purpose.</summary>
    public bool HasBadLayer => Number >= FirstWithBadLayer;

    public string Name => $"{(IsTest ? "test" : "tuning")}-{Number:D4}";
}

/// <summary>Draws the networks: sound ones, sound ones with a fault put in, and ones with settings as they come.</summary>
internal static class Generator
{
    /// <summary>Another seed is another corpus.</summary>
    public const ulong Seed = 20261122;

    public static CorpusCase Case(int number, ulong seed = Seed)
    {
        Draw draw = new(seed, number);
        if (number >= CorpusCase.FirstWithBadLayer)
        {
            return WithBadLayer(number, draw);
        }
        double kind = draw.Uniform(0, 1);
        Recipe recipe = Sound(draw);
        Fault? fault = null;
        if (kind < 0.45)
        {
            Fault[] fitting = [.. Fault.All.Where(candidate => candidate.Fits(recipe))];
            fault = draw.Of<Fault>(fitting);
            recipe = fault.Apply(recipe, draw);
        }
        else if (kind < 0.65)
        {
            recipe = Wild(recipe, draw);
        }
        return new CorpusCase(number, recipe, fault, draw.Seed());
    }

    private static CorpusCase WithBadLayer(int number, Draw draw)
    {
        while (true)
        {
            Recipe recipe = Sound(draw);
            Fault[] fitting = [.. Fault.All.Where(candidate => candidate.IsOneLayer && candidate.Fits(recipe))];
            if (fitting.Length > 0)
            {
                Fault fault = draw.Of<Fault>(fitting);
                return new CorpusCase(number, fault.Apply(recipe, draw), fault, draw.Seed());
            }
        }
    }

    /// <summary>A network that a practitioner would expect to train.</summary>
    private static Recipe Sound(Draw draw)
    {
        double family = draw.Uniform(0, 1);
        return family switch
        {
            < 0.3 => SmallChain(draw),
            < 0.52 => WideChain(draw),
            < 0.68 => SoundResidual(draw),
            < 0.8 => SoundConvolutions(draw),
            < 0.93 => SoundRecurrence(draw),
            _ => SoundEncoder(draw),
        };
    }

    /// <summary>A few units a layer on data of two to four features, as in countless questions on forums.</summary>
    private static Recipe SmallChain(Draw draw)
    {
        LearningTask task = draw.Of<LearningTask>(LearningTask.Circles, LearningTask.Moons, LearningTask.Blobs, LearningTask.Spirals, LearningTask.Waves, LearningTask.Ripple);
        string activation = draw.Of<string>("relu", "relu", "tanh", "leaky_relu", "elu", "selu", "sigmoid");
        int depth = activation == "sigmoid" ? draw.Whole(1, 2) : draw.Whole(1, 6);
        Recipe recipe = Dressed(new Recipe
        {
            Family = Chain, Task = task, Depth = depth, Width = draw.Of(5, 8, 12, 16, 24, 32), Activation = activation, Weights = Matched(activation, draw),
            Step = SoundStep(draw), Batch = draw.Of(16, 32, 64), Epochs = draw.Whole(40, 80),
        }, draw);
        return !task.Regression && task.Outputs == 2 && draw.Chance(0.5) ? recipe with { Output = OutputRule.Sigmoid }
            : !task.Regression && draw.Chance(0.4) ? recipe with { Output = OutputRule.Softmax } : recipe;
    }

    private static Recipe WideChain(Draw draw)
    {
        string activation = draw.Of<string>("relu", "relu", "tanh", "gelu", "silu", "elu", "selu", "leaky_relu");
        Recipe recipe = Dressed(new Recipe
        {
            Family = Chain, Task = draw.Of<LearningTask>(LearningTask.Digits, LearningTask.Digits, LearningTask.WideBlobs), Depth = draw.Whole(2, 12), Width = draw.Of(32, 48, 64, 100),
            Activation = activation, Weights = Matched(activation, draw), Step = SoundStep(draw), Batch = draw.Of(32, 64, 128), Epochs = draw.Whole(15, 25),
        }, draw);
        return draw.Chance(0.3) ? recipe with { Output = OutputRule.Softmax } : recipe;
    }

    private static Recipe SoundResidual(Draw draw)
    {
        string activation = draw.Of<string>("relu", "gelu", "tanh");
        return new Recipe
        {
            Family = Residual, Task = draw.Of<LearningTask>(LearningTask.Digits, LearningTask.WideBlobs, LearningTask.Spirals), Depth = 2 * draw.Whole(2, 9) + 1, Width = draw.Of(32, 48, 64),
            Activation = activation, Weights = Matched(activation, draw) with { Scale = 0.7 }, BatchNorm = draw.Chance(0.5),
            Step = SoundStep(draw), Batch = draw.Of(32, 64), Epochs = draw.Whole(12, 25),
        };
    }

    private static Recipe SoundConvolutions(Draw draw) => new()
    {
        Family = Convolutional, Task = LearningTask.Digits, Depth = draw.Whole(2, 6), Width = draw.Of(8, 12, 16), Activation = draw.Of<string>("relu", "relu", "elu", "tanh"),
        Weights = new WeightRule("he"), BatchNorm = draw.Chance(0.5), Step = SoundStep(draw), Batch = draw.Of(32, 64), Epochs = draw.Whole(5, 9),
    };

    private static Recipe SoundRecurrence(Draw draw)
    {
        bool rows = draw.Chance(0.5);
        return new Recipe
        {
            Family = Recurrent, Task = rows ? LearningTask.Digits : draw.Of<LearningTask>(LearningTask.Adding, LearningTask.TemporalOrder),
            Depth = draw.Chance(0.8) ? 1 : 2, Width = draw.Of(24, 32, 48), Activation = "tanh", Weights = new WeightRule("default"),
            Cell = rows ? draw.Of<Cell>(Cell.Rnn, Cell.Lstm, Cell.Gru) : draw.Of<Cell>(Cell.Lstm, Cell.Gru),
            Step = new StepRule("adam", draw.LogUniform(3e-3, 1e-2)), Clip = 1, Batch = draw.Of(32, 50), Epochs = rows ? draw.Whole(10, 15) : draw.Whole(20, 30),
        };
    }

    private static Recipe SoundEncoder(Draw draw) => new()
    {
        Family = Transformer, Task = LearningTask.Digits, Depth = draw.Whole(1, 3), Width = draw.Of(16, 24, 32),
        Step = new StepRule("adam", draw.LogUniform(1e-3, 4e-3)), Batch = 32, Epochs = draw.Whole(12, 16),
    };

    /// <summary>Settings as they come: nobody knows yet whether it trains.</summary>
    private static Recipe Wild(Recipe recipe, Draw draw)
    {
        if (recipe.Family is Recurrent or Transformer)
        {
            return recipe with { Step = WildStep(draw), Depth = draw.Whole(1, 4), PostNorm = draw.Chance(0.5), Clip = draw.Of(0.0, 1) };
        }
        return recipe with
        {
            Activation = draw.Of<string>("relu", "sigmoid", "tanh", "elu", "selu", "softsign", "hard_tanh", "leaky_relu"),
            Depth = recipe.Family == Residual ? 2 * draw.Whole(2, 15) + 1 : draw.Whole(2, 16),
            Weights = draw.Of(new WeightRule("xavier"), new WeightRule("he"), new WeightRule("normal", draw.LogUniform(0.01, 1)), new WeightRule("lecun"), new WeightRule("orthogonal"), new WeightRule("normal", 0.05)),
            BatchNorm = draw.Chance(0.2),
            Step = WildStep(draw),
            Batch = draw.Of(16, 32, 64, 128, 256, 512),
        };
    }

    private static StepRule SoundStep(Draw draw) => draw.Chance(0.6)
        ? new StepRule("adam", draw.LogUniform(1e-3, 8e-3))
        : new StepRule("sgd", draw.LogUniform(0.02, 0.08), draw.Of(0.9, 0.9, 0.8));

    private static StepRule WildStep(Draw draw) => draw.Of<string>("sgd", "adam", "rmsprop", "adagrad") switch
    {
        "sgd" => new StepRule("sgd", draw.LogUniform(1e-4, 1), draw.Of(0.0, 0.5, 0.9, 0.99)),
        "adam" => new StepRule("adam", draw.LogUniform(1e-5, 0.1), Beta1: draw.Of(0.1, 0.9, 0.9), Beta2: draw.Of(0.1, 0.99, 0.999), Epsilon: draw.Of(1e-8, 1e-7, 1e-3)),
        "rmsprop" => new StepRule("rmsprop", draw.LogUniform(1e-5, 0.1), Beta2: draw.Of(0.9, 0.99)),
        _ => new StepRule("adagrad", draw.LogUniform(1e-4, 0.5)),
    };

    private static Recipe Dressed(Recipe recipe, Draw draw) => recipe with
    {
        // Past a handful of layers a careful author takes normalization.
        BatchNorm = recipe.Activation != "selu" && draw.Chance(recipe.Depth > 8 ? 0.6 : 0.15),
        Clip = draw.Chance(0.1) ? 5 : 0,
        LabelNoise = !recipe.Task.Regression && draw.Chance(0.06) ? 0.1 : 0,
    };

    private static WeightRule Matched(string activation, Draw draw) => activation switch
    {
        "relu" or "leaky_relu" or "elu" or "gelu" or "silu" => draw.Chance(0.8) ? new WeightRule("he") : new WeightRule("xavier"),
        "selu" => new WeightRule("lecun"),
        _ => new WeightRule("xavier", activation == "tanh" && draw.Chance(0.4) ? 1.2 : 1),
    };
}
