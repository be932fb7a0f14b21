using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// The pair moments of ReLU and leaky ReLU of slope a on Gaussians of mean 0, in closed form (Cho and Saul 2009, degrees 1 and
/// 0, and linearity): E[φφ] = (q/2)[(1 − a)² (√(1 − c²) + (π − arccos c) c)/π + 2ac], E[φ'φ'] = (1/2)[(1 − a)² (π −
/// arccos c)/π + 2a].
/// </summary>
internal static class ArcCosineKernel
{
    /// <summary>The two moments; null for another function or a mean.</summary>
    public static (double Moment, double Slope)? Of(Activation activation, double mean, double variance, double correlation)
    {
        double? leak = activation switch { Relu => 0, LeakyRelu leaky => leaky.NegativeSlope, _ => null };
        if (leak is not { } a || mean != 0)
        {
            return null;
        }
        double c = Math.Clamp(correlation, -1, 1), angle = Math.PI - Math.Acos(c), steep = (1 - a) * (1 - a) / Math.PI;
        return (variance / 2 * (steep * (Math.Sqrt(1 - c * c) + angle * c) + 2 * a * c), 0.5 * (steep * angle + 2 * a));
    }
}
