using Fathom.Graphs;

namespace Fathom.Theory;

/// <summary>
/// The distribution over which an activation is integrated: Gaussian with the predicted moments, or, behind a batch
/// normalization of few values, a coordinate of a point on a sphere.
/// </summary>
/// <param name="Moments">Moments of the pre-activation.</param>
/// <param name="Sphere">Dimensions of the sphere; 0 for a Gaussian.</param>
internal readonly record struct ActivationInput(Moments Moments, int Sphere = 0)
{
    private double Variance => Moments.Variance;

    public double Expectation(Func<double, double> f, ReadOnlySpan<double> kinks) => Sphere > 0
        ? SphereIntegral.Expectation(f, Sphere, Moments.Mean, Math.Sqrt(Variance), kinks)
        : GaussianIntegral.Expectation(f, Moments.Mean, Variance, kinks);

    public double PairExpectation(Func<double, double> f, double correlation, ReadOnlySpan<double> kinks) => Sphere > 0
        ? SphereIntegral.PairExpectation(f, Sphere, Moments.Mean, Math.Sqrt(Variance), correlation, kinks)
        : GaussianIntegral.PairExpectation(f, Moments.Mean, Variance, correlation, kinks);
}
