namespace Fathom.Diagnosis.Preflight;

/// <summary>A quantity that theory predicts and the pre-flight measures, on a logarithmic scale.</summary>
/// <param name="Expected">
/// log10 of what theory expects of one draw of the weights in the middle: the mean of the logarithm. NaN if it expects nothing.
/// </param>
/// <param name="ExpectedDeviation">One standard deviation of that logarithm over draws, in decades.</param>
/// <param name="Measured">Mean over the seeds of log10 of what was measured; −∞ for exactly 0.</param>
/// <param name="MeasuredDeviation">Standard deviation over the seeds; NaN for one seed.</param>
/// <param name="Z">
/// (Measured − Expected) over the standard error of that difference, see <see cref="Judgement"/>; NaN without both.
/// </param>
public readonly record struct Comparison(double Expected, double ExpectedDeviation, double Measured, double MeasuredDeviation, double Z)
{
    /// <summary>Whether measurement and theory differ by more than chance and theory's own accuracy explain.</summary>
    public bool IsUnexpected => Math.Abs(Z) > Judgement.MostZ;

    /// <summary>The measured value itself, the geometric mean over the seeds.</summary>
    public double Value => Math.Pow(10, Measured);

    /// <summary>The expected value itself.</summary>
    public double ExpectedValue => Math.Pow(10, Expected);
}
