using Fathom.Graphs.Initializers;
using Fathom.Training.Optimizers;

namespace Fathom.Corpus;

internal enum Family
{
    Chain,
    Residual,
    Convolutional,
    Recurrent,
    Transformer,
}

internal enum Cell
{
    Rnn,
    Lstm,
    Gru,
}

/// <summary>How the last layer and the loss fit each other.</summary>
internal enum OutputRule
{
    /// <summary>Logits with cross-entropy, values with the squared error.</summary>
    Matched,

    /// <summary>Softmax with cross-entropy of probabilities.</summary>
    Softmax,

    /// <summary>One output, sigmoid, binary cross-entropy; two classes only.</summary>
    Sigmoid,

    /// <summary>A softmax in front of a loss that applies one itself.</summary>
    SoftmaxTwice,

    /// <summary>A softmax over a single unit, or for a regression.</summary>
    SoftmaxOverOne,

    /// <summary>A ReLU in front of logits or of targets that are negative as often as not.</summary>
    Relu,

    /// <summary>A sigmoid for targets beyond 0 to 1.</summary>
    SigmoidValues,

    /// <summary>A softmax with the squared error, which works more often than not.</summary>
    SoftmaxSquared,

    /// <summary>A plain number taken as a probability by binary cross-entropy; two classes only.</summary>
    LinearProbability,

    /// <summary>Sigmoids, which do not add up to 1, with cross-entropy of probabilities.</summary>
    SigmoidOverClasses,
}

/// <summary>What is done to one layer alone.</summary>
internal enum LayerChange
{
    None,
    Zero,
    Tiny,
    Huge,
    NegativeBias,
}

/// <summary>How weights start.</summary>
/// <param name="Kind">he, xavier, lecun, orthogonal, normal (Scale is the standard deviation), or constant (Scale is the number).</param>
/// <param name="Scale">Factor on the standard deviation of the first four.</param>
internal sealed record WeightRule(string Kind, double Scale = 1)
{
    public Initializer ToInitializer() => Kind switch
    {
        "he" => new VarianceScaling(2 * Scale * Scale, FanMode.In, WeightDistribution.Normal),
        "xavier" => new VarianceScaling(Scale * Scale, FanMode.Average, WeightDistribution.Uniform),
        "lecun" => new VarianceScaling(Scale * Scale, FanMode.In, WeightDistribution.Normal),
        "orthogonal" => new Orthogonal(Scale),
        "normal" => new NormalInitializer(0, Scale),
        "constant" => new ConstantInitializer(Scale),
        _ => throw new CorpusException($"unknown weight rule '{Kind}'"),
    };
}

/// <summary>How weights move.</summary>
internal sealed record StepRule(string Kind, double Rate, double Momentum = 0, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-8, double WeightDecay = 0)
{
    public Optimizer ToOptimizer() => Kind switch
    {
        "sgd" => new Sgd(Rate, Momentum, WeightDecay: WeightDecay),
        "adam" => new Adam(Rate, Beta1, Beta2, Epsilon, WeightDecay),
        "rmsprop" => new RmsProp(Rate, Beta2, Epsilon, WeightDecay),
        "adagrad" => new Adagrad(Rate, Epsilon: Epsilon),
        _ => throw new CorpusException($"unknown optimizer '{Kind}'"),
    };
}

/// <summary>All settings of a network of the corpus; the network follows from them.</summary>
internal sealed record Recipe
{
    public required Family Family { get; init; }

    public required LearningTask Task { get; init; }

    /// <summary>Hidden layers; blocks of a transformer; layers of a recurrent network.</summary>
    public required int Depth { get; init; }

    /// <summary>Units, channels or features of each.</summary>
    public required int Width { get; init; }

    public string Activation { get; init; } = "relu";

    public WeightRule Weights { get; init; } = new("he");

    public double BiasStart { get; init; }

    public bool BatchNorm { get; init; }

    public bool PostNorm { get; init; }

    public Cell Cell { get; init; } = Cell.Lstm;

    public OutputRule Output { get; init; }

    public required StepRule Step { get; init; }

    /// <summary>Largest norm of the whole gradient; 0 for no clipping.</summary>
    public double Clip { get; init; }

    public required int Batch { get; init; }

    public required int Epochs { get; init; }

    public double InputScale { get; init; } = 1;

    public double InputShift { get; init; }

    public double LabelNoise { get; init; }

    public LayerChange Change { get; init; }

    /// <summary>The hidden layer that <see cref="Change"/> is done to, from 1.</summary>
    public int ChangedLayer { get; init; }
}

/// <summary>A wrong word on the command line, or labels that do not fit.</summary>
internal sealed class CorpusException(string message) : Exception(message);
