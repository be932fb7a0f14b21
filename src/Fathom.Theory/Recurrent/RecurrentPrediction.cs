using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// What theory expects of a recurrent layer over time. Steps are counted in the order in which the layer reads them, so that
/// a layer in reverse has the last time first. A mask is not known before the data are: every step counts.
/// </summary>
/// <param name="Layer">The layer's node.</param>
/// <param name="StateSquares">E[h²] after each step.</param>
/// <param name="Log10Gradients">
/// log10 of the RMS of the total gradient by the state after each step, relative to the network's output gradient; −∞ where
/// none arrives.
/// </param>
/// <param name="Log10FromLast">
/// log10 of the RMS of the gradient by the state after each step over that at the last step, if the last step alone were read.
/// </param>
/// <param name="Log10FromAll">The same if every step were read, each with a gradient of its own.</param>
/// <param name="Carry">What a unit keeps from one step to the next on average: E[f] of an LSTM, E[z] of a GRU; 0 without a gate.</param>
public sealed record RecurrentPrediction(Node Layer, ImmutableArray<double> StateSquares, ImmutableArray<double> Log10Gradients,
    ImmutableArray<double> Log10FromLast, ImmutableArray<double> Log10FromAll, double Carry)
{
    /// <summary>Time steps.</summary>
    public int Steps => Log10FromLast.Length;

    /// <summary>Whether the layer reads the sequence from its end.</summary>
    public bool Reverse => ((RecurrentLayer)Layer.Op).Reverse;

    /// <summary>
    /// Factor of the gradient's norm per time step on its way back from the last step: a mean over the steps that it reaches.
    /// √χ of a plain layer; NaN for a single step.
    /// </summary>
    public double FactorPerStep => FirstReached + 1 >= Steps ? double.NaN : Math.Pow(10, Log10FromLast[FirstReached] / (Steps - 1 - FirstReached));

    /// <summary>Steps over which the gradient's norm falls by e; infinite if it does not fall.</summary>
    public double MemoryTime => FactorPerStep < 1 ? -1 / Math.Log(FactorPerStep) : double.IsNaN(FactorPerStep) ? double.NaN : double.PositiveInfinity;

    /// <summary>
    /// −1/ln of <see cref="Carry"/>: steps over which the carry alone falls by e, −1/ln σ(b_f) of an LSTM with small weights, 3.19
    /// for a bias of 1. The recurrent weights send more back beside it, and units whose gate happens to stay open hold longer.
    /// </summary>
    public double CarryTime => Carry > 0 ? -1 / Math.Log(Carry) : 0;

    /// <summary>
    /// Decades that the gradient's norm loses from the last step to the first, if the last step alone is read; below 0 if it
    /// grows, infinite if truncation keeps it from the first.
    /// </summary>
    public double DecadesLost => -Log10FromLast[0];

    /// <summary>Share of the gradient's norm that reaches the first step from the last.</summary>
    public double SurvivingShare => Math.Pow(10, Log10FromLast[0]);

    /// <summary>The earliest step that a gradient from the last one reaches.</summary>
    private int FirstReached => Enumerable.Range(0, Steps).First(step => Log10FromLast[step] > double.NegativeInfinity);
}
