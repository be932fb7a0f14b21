namespace Fathom.Graphs;

/// <summary>
/// Moments of a value over random weights and data: per element, averaged over a layer's units.
/// </summary>
/// <param name="Mean">Mean of an element over the layer's units.</param>
/// <param name="SecondMoment">Mean square of an element (q for a pre-activation).</param>
/// <param name="Correlation">Correlation c of two different inputs' values at the same unit: E[u1·u2]/E[u²].</param>
public readonly record struct Moments(double Mean, double SecondMoment, double Correlation)
{
    public double Variance => Math.Max(0, SecondMoment - Mean * Mean);
}

/// <summary>What a moment rule sees.</summary>
/// <param name="Node">The node.</param>
/// <param name="Inputs">Moments of each input; of a parameter, those of its initializer.</param>
public readonly record struct MomentScope(Node Node, Moments[] Inputs)
{
    /// <summary>Elements per sample of an input, without the batch.</summary>
    public long Features(int input) => Node.Inputs[input].Shape.ElementsPerSample;
}

/// <summary>
/// How an op transports moments: forward, and backward as the factor by which the mean square of a gradient's
/// elements changes from output to input. THEORY: Poole et al. 2016; Schoenholz et al. 2017.
/// </summary>
public sealed record MomentRule(Func<MomentScope, Moments> Forward, Func<MomentScope, int, double> Backward);
