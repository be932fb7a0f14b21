using Fathom.Diagnosis;
using static Fathom.Corpus.Family;

namespace Fathom.Corpus;

/// <summary>Something that is put into a sound recipe and may make it sick.</summary>
/// <param name="Name">What it is called in tables.</param>
/// <param name="Cause">The cause that a right diagnosis names, one of <see cref="Causes"/>.</param>
/// <param name="AlsoRight">Causes that are as right: another name for the same thing, or a link of its chain.</param>
/// <param name="Fits">Whether a recipe can have it.</param>
/// <param name="Apply">Puts it in.</param>
internal sealed record Fault(string Name, string Cause, string[] AlsoRight, Func<Recipe, bool> Fits, Func<Recipe, Draw, Recipe> Apply)
{
    /// <summary>Whether it is put into a single layer.</summary>
    public bool IsOneLayer { get; init; }

    private static readonly Func<Recipe, bool> Feedforward = recipe => recipe.Family is Chain or Residual or Convolutional;
    private static readonly Func<Recipe, bool> PlainChain = recipe => recipe.Family is Chain or Convolutional;

    public static IReadOnlyList<Fault> All { get; } =
    [
        new("deep sigmoid", Causes.Vanishing, [Causes.Saturation], recipe => recipe.Family == Chain,
            (recipe, draw) => recipe with { Activation = "sigmoid", Weights = new("xavier"), Depth = draw.Whole(6, 16), BatchNorm = false }),
        new("small weights", Causes.BadInitialization, [Causes.Vanishing], PlainChain,
            (recipe, draw) => recipe with { Weights = new("normal", draw.LogUniform(1e-4, 0.02)), Depth = draw.Whole(3, 10), BatchNorm = false }),
        new("large weights, saturating", Causes.BadInitialization, [Causes.Saturation, Causes.Vanishing, Causes.Exploding], PlainChain,
            (recipe, draw) => recipe with { Activation = draw.Of<string>("tanh", "sigmoid", "hard_tanh"), Weights = new("normal", draw.Uniform(1, 5)), Depth = draw.Whole(3, 10), BatchNorm = false }),
        new("large weights, exploding", Causes.BadInitialization, [Causes.Exploding, Causes.LearningRateTooLarge], PlainChain,
            (recipe, draw) => recipe with { Activation = draw.Of<string>("relu", "leaky_relu", "elu"), Weights = new("he", draw.Uniform(2.5, 8)), Depth = draw.Whole(5, 12), BatchNorm = false }),
        new("zero weights", Causes.BadInitialization, [Causes.Vanishing], Feedforward, (recipe, _) => recipe with { Weights = new("constant", 0), BatchNorm = false }),
        new("equal weights", Causes.BadInitialization, [], PlainChain, (recipe, draw) => recipe with { Weights = new("constant", draw.Of(0.01, 0.1, 0.5)) }),
        new("negative biases", Causes.DeadRelu, [Causes.BadInitialization], PlainChain, (recipe, draw) => recipe with { Activation = "relu", BiasStart = -draw.Uniform(2, 10), BatchNorm = false }),
        new("learning rate too small", Causes.LearningRateTooSmall, [], _ => true, (recipe, draw) => Rate(recipe, recipe.Step.Kind == "adam" ? draw.LogUniform(1e-8, 1e-5) : draw.LogUniform(1e-7, 1e-4))),
        new("learning rate too large", Causes.LearningRateTooLarge, [Causes.Exploding, Causes.DeadRelu, Causes.Saturation], _ => true,
            (recipe, draw) => Rate(recipe, recipe.Step.Kind == "adam" ? draw.LogUniform(0.1, 3) : draw.LogUniform(2, 30))),
        new("no memory of gradients", Causes.Other, [Causes.LearningRateTooLarge], _ => true,
            (recipe, draw) => recipe with { Step = new StepRule("adam", draw.LogUniform(0.03, 0.3), Beta1: 0.1, Beta2: 0.1) }),
        new("large epsilon", Causes.Other, [Causes.LearningRateTooSmall], _ => true,
            (recipe, draw) => recipe with { Step = new StepRule("adam", 1e-3, Epsilon: draw.LogUniform(1, 100)) }),
        new("heavy decay", Causes.Other, [Causes.Vanishing], recipe => Feedforward(recipe) && !recipe.BatchNorm,
            (recipe, draw) => recipe with { Step = new StepRule("sgd", 0.05, 0.9, WeightDecay: draw.LogUniform(0.1, 1)) }),
        new("inputs of 0 to 255 or more", Causes.UnscaledInput, [Causes.Exploding, Causes.Saturation], recipe => PlainChain(recipe) && !recipe.BatchNorm,
            (recipe, draw) => recipe with { InputScale = draw.Of(255, 1000.0), Step = new StepRule("sgd", draw.LogUniform(0.01, 0.1), 0.9) }),
        new("inputs far from 0", Causes.UnscaledInput, [Causes.Saturation, Causes.DeadRelu], recipe => PlainChain(recipe) && !recipe.BatchNorm,
            (recipe, draw) => recipe with { InputShift = draw.Of(-1, 1) * draw.LogUniform(50, 500) }),
        new("softmax over one unit", Causes.WrongOutputOrLoss, [], recipe => recipe.Family == Chain && (recipe.Task.Regression || recipe.Task.Outputs == 2), (recipe, _) => recipe with { Output = OutputRule.SoftmaxOverOne }),
        new("ReLU as output", Causes.WrongOutputOrLoss, [Causes.DeadRelu], Feedforward, (recipe, _) => recipe with { Output = OutputRule.Relu }),
        new("sigmoid for values", Causes.WrongOutputOrLoss, [Causes.Saturation], recipe => recipe.Task.Regression, (recipe, _) => recipe with { Output = OutputRule.SigmoidValues }),
        new("softmax with the squared error", Causes.WrongOutputOrLoss, [Causes.LearningRateTooSmall], recipe => !recipe.Task.Regression, (recipe, _) => recipe with { Output = OutputRule.SoftmaxSquared }),
        new("a plain number as probability", Causes.WrongOutputOrLoss, [], recipe => recipe is { Family: Chain, Task: { Regression: false, Outputs: 2 } }, (recipe, _) => recipe with { Output = OutputRule.LinearProbability }),
        new("sigmoids for classes", Causes.WrongOutputOrLoss, [], recipe => !recipe.Task.Regression && recipe.Task.Outputs > 2, (recipe, _) => recipe with { Output = OutputRule.SigmoidOverClasses }),
        new("softmax twice", Causes.WrongOutputOrLoss, [], recipe => !recipe.Task.Regression && recipe.Family != Recurrent, (recipe, _) => recipe with { Output = OutputRule.SoftmaxTwice }),
        new("one layer at zero", Causes.BadInitialization, [Causes.Vanishing], recipe => PlainChain(recipe) && recipe.Depth >= 3, (recipe, draw) => Changed(recipe, LayerChange.Zero, draw)) { IsOneLayer = true },
        new("one layer tiny", Causes.BadInitialization, [Causes.Vanishing], recipe => PlainChain(recipe) && recipe.Depth >= 3 && !recipe.BatchNorm, (recipe, draw) => Changed(recipe, LayerChange.Tiny, draw)) { IsOneLayer = true },
        new("one layer huge", Causes.BadInitialization, [Causes.Exploding, Causes.Saturation], recipe => PlainChain(recipe) && recipe.Depth >= 3 && !recipe.BatchNorm, (recipe, draw) => Changed(recipe, LayerChange.Huge, draw)) { IsOneLayer = true },
        new("one layer dead", Causes.DeadRelu, [Causes.BadInitialization], recipe => PlainChain(recipe) && recipe.Depth >= 2 && recipe.Activation == "relu" && !recipe.BatchNorm,
            (recipe, draw) => Changed(recipe, LayerChange.NegativeBias, draw)) { IsOneLayer = true },
        new("plain recurrence over a long lag", Causes.Vanishing, [], recipe => recipe.Family == Recurrent && recipe.Task != LearningTask.Digits,
            (recipe, draw) => recipe with { Cell = Cell.Rnn, Weights = new("lecun", draw.Uniform(0.3, 0.7)) }),
        new("recurrence that explodes", Causes.Exploding, [Causes.BadInitialization, Causes.Saturation], recipe => recipe.Family == Recurrent,
            (recipe, draw) => recipe with { Cell = Cell.Rnn, Weights = new("lecun", draw.Uniform(2, 5)), Clip = 0 }),
        new("clipped to nothing", Causes.Other, [Causes.LearningRateTooSmall], recipe => recipe.Step.Kind == "sgd", (recipe, draw) => recipe with { Clip = draw.LogUniform(1e-7, 1e-4) }),
        new("deep post-norm", Causes.Vanishing, [Causes.LearningRateTooLarge], recipe => recipe.Family == Transformer, (recipe, draw) => recipe with { PostNorm = true, Depth = draw.Whole(8, 12) }),
    ];

    private static Recipe Rate(Recipe recipe, double rate) => recipe with { Step = recipe.Step with { Rate = rate } };

    private static Recipe Changed(Recipe recipe, LayerChange change, Draw draw) => recipe with { Change = change, ChangedLayer = draw.Whole(1, recipe.Depth) };
}
