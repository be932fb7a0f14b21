namespace Fathom.Diagnosis.Preflight;

/// <summary>
/// Singular values of ∂(output of one layer)/∂(output of an earlier one): by how much the network stretches small differences
/// between these layers, and by the same factors the gradients on their way back. All equal to 1 is dynamical isometry (Saxe et
/// al. 2013; Pennington et al. 2017).
/// </summary>
/// <param name="From">The earlier layer.</param>
/// <param name="To">The later layer.</param>
/// <param name="Inputs">Elements of a sample at the earlier layer.</param>
/// <param name="Outputs">Elements of a sample at the later layer.</param>
/// <param name="Largest">The largest singular value: over samples, the geometric mean.</param>
/// <param name="Smallest">The smallest of min(inputs, outputs) values: over samples, the geometric mean; 0 if that of any sample is 0 to rounding.</param>
/// <param name="SmallestIsBound">Whether the smallest one is only known not to exceed <paramref name="Smallest"/>.</param>
/// <param name="Mean">Root of the mean square: √(‖J‖²/min(inputs, outputs)), over all samples.</param>
/// <param name="Expected">The same as theory expects it: it is the factor of the gradient's norm over this range. NaN if it expects nothing.</param>
/// <param name="Samples">Samples at which it was measured; of a network whose samples depend on each other, those of its one Jacobian.</param>
/// <param name="Method"><c>exact</c> (the whole matrix) or <c>lanczos</c>.</param>
public sealed record JacobianSpectrum(string From, string To, long Inputs, long Outputs, double Largest, double Smallest, bool SmallestIsBound,
    double Mean, double Expected, int Samples, string Method)
{
    /// <summary>Largest over smallest singular value; infinite if the smallest is 0.</summary>
    public double Condition => Largest / Smallest;
}
