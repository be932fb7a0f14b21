using System.Collections.Immutable;
using Fathom.Graphs;

namespace Fathom.Theory;

/// <summary>How a node's moments were found.</summary>
public enum PredictionSource
{
    /// <summary>Given: data, an initializer, or a constant.</summary>
    Given,

    /// <summary>The op's own moment rule.</summary>
    Rule,

    /// <summary>An activation, integrated over a Gaussian pre-activation.</summary>
    Quadrature,

    /// <summary>An estimate: the op's kernel was run on random inputs with the predicted moments.</summary>
    Sampled,

    /// <summary>A loss, which theory does not enter.</summary>
    Loss,
}

/// <summary>What theory expects of one node before step 1.</summary>
/// <param name="Node">The node.</param>
/// <param name="Source">How the moments were found.</param>
/// <param name="Outputs">Moments of each output.</param>
/// <param name="GradientFactors">
/// For each input, the mean square of the gradient's elements there, as sent by this node, over that at the output.
/// NaN for a parameter and for an input that is not real.
/// </param>
/// <param name="Activation">The integrals of an activation; null for other nodes.</param>
public sealed record NodePrediction(Node Node, PredictionSource Source, ImmutableArray<Moments> Outputs,
    ImmutableArray<double> GradientFactors, ActivationMoments? Activation)
{
    /// <summary>Moments of output 0.</summary>
    public Moments Output => Outputs[0];

    /// <summary>Mean square of an element of output 0.</summary>
    public double ForwardSecondMoment => Output.SecondMoment;

    /// <summary>
    /// Mean-square gradient per element at the first data input over that at the output; NaN for a source.
    /// </summary>
    public double GradientFactor => GradientFactors.FirstOrDefault(factor => !double.IsNaN(factor), double.NaN);

    /// <summary>
    /// What finite width adds in this node to the variance of the natural logarithm of the gradient's squared norm.
    /// </summary>
    public double LogVariance { get; init; }

    /// <summary>What it makes of the slope of an activation in front of it; see <see cref="GradientMoments.SlopeShare"/>.</summary>
    internal double SlopeShare { get; init; } = 1;

    /// <summary>The theory of a recurrent layer; null for other nodes.</summary>
    internal RecurrentTheory? OverTime { get; init; }

    /// <summary>The functions of earlier values that the node adds up, where it meets one of them twice; then the gradient goes straight to these.</summary>
    internal ImmutableArray<MergedTerm> Merged { get; init; } = [];

    /// <summary>φ'² at the draws of a stream, in units of their mean; null where there are none.</summary>
    internal float[]? Slopes { get; init; }

    /// <summary>Whether the node's output is a function of earlier values, element by element.</summary>
    internal bool IsInner { get; init; }

    /// <summary>The rule that was used; null for other sources.</summary>
    internal MomentRule? Rule { get; init; }
}

/// <summary>What theory expects of the gradient that arrives at a value.</summary>
/// <param name="Log10MeanSquare">log10 of the mean square of its elements, where the network's output has 0.</param>
/// <param name="Correlation">Correlation of two samples' gradients.</param>
/// <param name="LogVariance">Variance of the natural logarithm of its squared norm over random weights.</param>
internal readonly record struct GradientMoments(double Log10MeanSquare, double Correlation, double LogVariance)
{
    public static readonly GradientMoments None = new(double.NegativeInfinity, 0, 0);

    /// <summary>What the positions' gradients have in common; null if the value has none.</summary>
    public PositionMoments? Positions { get; init; }

    /// <summary>How it goes with the value; null if it does not depend on it.</summary>
    public GradientAlignment? Alignment { get; init; }

    /// <summary>
    /// Mean square of the slope of the activation that gave the value where the gradient arrives, over that everywhere: a
    /// maximum sends its gradient to the largest elements only.
    /// </summary>
    public double SlopeShare { get; init; } = 1;

    /// <summary>
    /// Its mean square at each of the draws of a stream, in units of their mean: where a ReLU was open, the ones behind it are likely
    /// to be. Null if it is the same for all.
    /// </summary>
    public float[]? Weights { get; init; }

    /// <summary>Its pattern over samples and positions, in units of its mean square.</summary>
    public Moments Pattern => new(0, 1, Correlation) { Positions = Positions };

    public bool Exists => Log10MeanSquare > double.NegativeInfinity;
}
