using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Runs;
using Fathom.Training;

namespace Fathom.Diagnosis;

/// <summary>Gradient norm at one layer, for tables and sparklines.</summary>
/// <param name="Layer">The layer with weights.</param>
/// <param name="Depth">Its depth.</param>
/// <param name="LogGradient">log10 of the gradient's norm by its output, mean over the steps.</param>
/// <param name="LogExpected">log10 of what theory expects at the start, relative to the last layer; NaN if not asked.</param>
public sealed record LayerGradient(string Layer, int Depth, double LogGradient, double LogExpected);

/// <summary>Gradient norm at each time step of a recurrent layer, for tables and sparklines.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="LogGradients">log10 of the norm of the total gradient by its state after each time step, mean over the training steps.</param>
/// <param name="Reverse">Whether the layer reads the sequence from its end, so that time step 1 comes last.</param>
public sealed record StateGradient(string Layer, ImmutableArray<double> LogGradients, bool Reverse)
{
    /// <summary>
    /// Norm at the step that is read first over that at <see cref="LastReached"/>; 0 if none arrives there. Where the loss
    /// reads one step alone, such as the last of a layer that reads from the end, no gradient arrives at those read later.
    /// </summary>
    public double Ratio
    {
        get
        {
            double first = LogGradients[Reverse ? ^1 : 0];
            return LastReached < 0 || !Arrives(first) ? 0 : Math.Pow(10, first - LogGradients[LastReached]);
        }
    }

    /// <summary>Index of the step that is read last of all those at which a gradient arrives; −1 if it arrives at none.</summary>
    public int LastReached
    {
        get
        {
            int[] reached = [.. Enumerable.Range(0, LogGradients.Length).Where(step => Arrives(LogGradients[step]))];
            return reached.Length == 0 ? -1 : reached[Reverse ? 0 : ^1];
        }
    }

    private static bool Arrives(double logGradient) => logGradient > LayerTrace.Floor + 0.5;
}

/// <summary>What came out of a run.</summary>
public sealed record RunOutcome
{
    /// <summary>One of <see cref="RunStatus"/>.</summary>
    public required string Status { get; init; }

    public required long Steps { get; init; }

    public required int Epochs { get; init; }

    public required Evaluation Training { get; init; }

    public required Evaluation Validation { get; init; }

    /// <summary>Loss of the first batch; NaN before any step.</summary>
    public double FirstLoss { get; init; } = double.NaN;

    /// <summary>Findings that hold at the end.</summary>
    public required ImmutableArray<Finding> Findings { get; init; }

    public required ImmutableArray<LayerGradient> Gradients { get; init; }

    /// <summary>How the gradient changes over time in each recurrent layer.</summary>
    public ImmutableArray<StateGradient> StateGradients { get; init; } = [];

    /// <summary>Gradient factor per layer over the last steps.</summary>
    public required DepthFit Fit { get; init; }

    public required double Seconds { get; init; }

    /// <summary>What was done at an error finding; null if nothing was.</summary>
    public ActionTaken? Taken { get; init; }

    /// <summary>The norms of the run's gradients, before clipping.</summary>
    public GradientNorms GradientNorms { get; init; } = new();

    /// <summary>First over last layer's gradient norm; 0 if no gradient arrives at all.</summary>
    public double GradientRatio => Gradients.Length < 2 ? 1 : Gradients[0].LogGradient <= LayerTrace.Floor + 0.5 ? 0 : Math.Pow(10, Gradients[0].LogGradient - Gradients[^1].LogGradient);
}
