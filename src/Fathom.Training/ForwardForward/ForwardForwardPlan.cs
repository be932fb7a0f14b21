using System.Collections.Immutable;
using Fathom.Training.Optimizers;

namespace Fathom.Training.ForwardForward;

/// <summary>
/// Settings of forward-forward training (Hinton 2022, «The forward-forward algorithm: some preliminary investigations»).
/// </summary>
public sealed record ForwardForwardPlan
{
    /// <summary>Units of each hidden layer; one layer or more.</summary>
    public required ImmutableArray<int> Widths { get; init; }

    /// <summary>Mean square of a layer's activities above which it takes its input for real; above 0.</summary>
    public double Threshold { get; init; } = 0.5;

    /// <summary>The rule that each layer's weights follow, on a gradient that does not leave the layer.</summary>
    public Optimizer Optimizer { get; init; } = new Adam(0.003);

    /// <summary>Real samples per step; each comes with one made-up sample.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>Passes over the training data; at least 1.</summary>
    public int Epochs { get; init; } = 20;

    /// <summary>Seed of initialisation, data order and wrong labels.</summary>
    public ulong Seed { get; init; } = 1;

    /// <exception cref="TrainingException">A setting is out of its range.</exception>
    public void Validate()
    {
        Optimizer.Validate();
        if (Widths.IsDefaultOrEmpty || Widths.Any(width => width < 1))
        {
            throw new TrainingException($"widths is [{(Widths.IsDefault ? "" : string.Join(", ", Widths))}]; it must be one hidden layer or more, each of 1 unit or more");
        }
        if (!(Threshold > 0 && double.IsFinite(Threshold)))
        {
            throw new TrainingException(FormattableString.Invariant($"threshold is {Threshold}; it must be above 0 and finite"));
        }
        if (BatchSize < 1)
        {
            throw new TrainingException($"batch is {BatchSize}; it must be 1 or more");
        }
        if (Epochs < 1)
        {
            throw new TrainingException($"epochs is {Epochs}; it must be 1 or more");
        }
    }
}
