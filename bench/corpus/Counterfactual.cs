using Fathom.Diagnosis;
using static Fathom.Corpus.Family;

namespace Fathom.Corpus;

/// <summary>One change that undoes one cause. If it alone heals a sick network, that cause is proven.</summary>
/// <param name="Name">What is changed.</param>
/// <param name="Cause">What is thereby shown to be the cause.</param>
/// <param name="Apply">The changed recipe; null where there is nothing to change.</param>
internal sealed record Counterfactual(string Name, string Cause, Func<Recipe, Recipe?> Apply)
{
    private static readonly Func<Recipe, string[]> Nothing = _ => [];

    /// <summary>
    /// What else is shown, where a change undoes more than one thing: normalization makes a layer indifferent to signals and
    /// gradients that fade, that grow, and that saturate; gates with clipping bound a gradient over time as well as carry it.
    /// </summary>
    public Func<Recipe, string[]> AlsoShows { get; init; } = Nothing;

    /// <summary>The change that proves a single layer to be the culprit.</summary>
    public const string SoundLayer = "sound start of the one layer";

    /// <summary>Factors on the learning rate that are tried.</summary>
    public static readonly (string Name, double Factor)[] Rates = [("learning rate × 30", 30), ("learning rate × 1000", 1000), ("learning rate ÷ 10", 0.1), ("learning rate ÷ 100", 0.01)];

    /// <summary>In the order in which they count: what is plainly wrong by itself before what helps against many things.</summary>
    public static IReadOnlyList<Counterfactual> All { get; } =
    [
        new("matched output", Causes.WrongOutputOrLoss, recipe => recipe.Output is OutputRule.Matched or OutputRule.Softmax or OutputRule.Sigmoid ? null : recipe with { Output = OutputRule.Matched }),
        new("scaled input", Causes.UnscaledInput, recipe => recipe is { InputScale: 1, InputShift: 0 } ? null : recipe with { InputScale = 1, InputShift = 0 }),
        new(SoundLayer, Causes.BadInitialization, recipe => recipe.Change == LayerChange.None ? null : recipe with { Change = LayerChange.None, ChangedLayer = 0 }),
        new("zero biases", Causes.DeadRelu, recipe => recipe.BiasStart == 0 ? null : recipe with { BiasStart = 0 }),
        new("usual optimizer settings", Causes.Other, UsualOptimizer),
        new("no clipping", Causes.Other, recipe => recipe.Clip is > 0 and < 0.01 ? recipe with { Clip = 0 } : null),
        new("matched weights", Causes.BadInitialization, MatchedWeights) { AlsoShows = EffectsOfWeights },
        .. Rates.Select(rate => new Counterfactual(rate.Name, rate.Factor > 1 ? Causes.LearningRateTooSmall : Causes.LearningRateTooLarge, recipe => Rate(recipe, rate.Factor))),
        new("ReLU", Causes.Vanishing, recipe => recipe.Family is Chain or Residual or Convolutional && recipe.Activation is "sigmoid" or "tanh" or "softsign" or "hard_tanh"
            ? recipe with { Activation = "relu", Weights = new("he") } : null) { AlsoShows = _ => [Causes.Saturation] },
        new("leaky ReLU", Causes.DeadRelu, recipe => recipe is { Activation: "relu", Family: Chain or Residual or Convolutional } ? recipe with { Activation = "leaky_relu" } : null),
        new("LSTM", Causes.Vanishing, recipe => recipe is { Family: Recurrent, Cell: Cell.Rnn } ? recipe with { Cell = Cell.Lstm, Weights = new("default"), Clip = 1 } : null) { AlsoShows = _ => [Causes.Exploding] },
        new("pre-norm", Causes.Vanishing, recipe => recipe.PostNorm ? recipe with { PostNorm = false } : null),
        new("batch norm", Causes.Vanishing, recipe => recipe.Family is Chain or Residual or Convolutional && !recipe.BatchNorm ? recipe with { BatchNorm = true } : null)
        {
            AlsoShows = recipe => IsBounded(recipe) ? [Causes.Exploding, Causes.Saturation] : [Causes.Exploding],
        },
    ];

    private static bool IsBounded(Recipe recipe) => recipe.Activation is "sigmoid" or "tanh" or "softsign" or "hard_tanh";

    /// <summary>What weights of that size do to a signal: the other names of the faults "small weights" and "large weights", whoever has put them in.</summary>
    private static string[] EffectsOfWeights(Recipe recipe)
    {
        double gain = recipe.Weights.Kind switch
        {
            "constant" => double.NaN,
            "normal" => recipe.Weights.Scale * Math.Sqrt(recipe.Width),
            _ => recipe.Weights.Scale,
        };
        return gain <= 0.5 ? [Causes.Vanishing] : gain >= 2 ? IsBounded(recipe) ? [Causes.Saturation, Causes.Exploding] : [Causes.Exploding] : [];
    }

    private static Recipe Rate(Recipe recipe, double factor) => recipe with { Step = recipe.Step with { Rate = recipe.Step.Rate * factor } };

    private static Recipe? UsualOptimizer(Recipe recipe)
    {
        StepRule usual = new(recipe.Step.Kind, recipe.Step.Rate, Math.Min(recipe.Step.Momentum, 0.9));
        return recipe.Step == usual ? null : recipe with { Step = usual };
    }

    private static Recipe? MatchedWeights(Recipe recipe)
    {
        if (recipe.Family is Transformer)
        {
            return null;
        }
        WeightRule matched = recipe.Family == Recurrent ? new("default") : recipe.Activation switch
        {
            "relu" or "leaky_relu" or "elu" or "gelu" or "silu" => new("he"),
            "selu" => new("lecun"),
            _ => new("xavier"),
        };
        return recipe.Weights == matched ? null : recipe with { Weights = matched };
    }
}
