namespace Fathom.Theory;

/// <summary>On which side of the edge of chaos a network lies.</summary>
public enum SignalPhase
{
    /// <summary>χ1 &lt; 1: gradients vanish, and inputs become alike.</summary>
    Ordered,

    /// <summary>χ1 = 1.</summary>
    Critical,

    /// <summary>χ1 &gt; 1: gradients explode, and inputs that are alike become different.</summary>
    Chaotic,
}

/// <summary>Where a deep chain of equal layers ends up; Poole et al. 2016, Schoenholz et al. 2017.</summary>
/// <param name="WeightVariance">σw², the variance of a weight times fan-in.</param>
/// <param name="BiasVariance">σb².</param>
/// <param name="Length">q*, the pre-activation's variance; infinite if it grows without bound.</param>
/// <param name="Chi1">χ1, the factor per layer of a gradient's mean square.</param>
/// <param name="ChiLength">χq, the factor per layer of a small deviation of q from q*.</param>
/// <param name="Correlation">c*, the correlation that any two inputs approach.</param>
/// <param name="ChiCorrelation">χ(c*), the factor per layer of a small deviation from c*.</param>
public sealed record MeanFieldPoint(double WeightVariance, double BiasVariance, double Length, double Chi1, double ChiLength, double Correlation, double ChiCorrelation)
{
    /// <summary>ξq = 1/|ln χq|: layers over which a deviation of the length falls by e.</summary>
    public double LengthScale => Scale(ChiLength);

    /// <summary>ξc = 1/|ln χ(c*)|: layers over which two inputs can still be told apart.</summary>
    public double CorrelationScale => Scale(ChiCorrelation);

    /// <summary>1/|ln χ1|: layers over which a gradient's mean square changes by e.</summary>
    public double GradientScale => Scale(Chi1);

    public SignalPhase Phase => Math.Abs(Chi1 - 1) < 1e-9 ? SignalPhase.Critical : Chi1 < 1 ? SignalPhase.Ordered : SignalPhase.Chaotic;

    private static double Scale(double chi)
    {
        double rate = Math.Abs(Math.Log(chi));
        return rate < 1e-9 ? double.PositiveInfinity : 1 / rate;
    }
}
