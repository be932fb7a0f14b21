using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Initializers;

/// <summary>The standard normal distribution between two bounds.</summary>
internal readonly struct TruncatedNormal(double low, double high)
{
    /// <summary>Share of the normal distribution above which its own numbers are drawn until one fits.</summary>
    private const double EnoughMass = 0.25;

    private double Mass => Tail(low) - Tail(high);

    /// <summary>(φ(low) − φ(high)) / mass.</summary>
    public double Mean => (Density(low) - Density(high)) / Mass;

    /// <summary>1 + (low·φ(low) − high·φ(high)) / mass − mean².</summary>
    public double Variance => 1 + (Moment(low) - Moment(high)) / Mass - Mean * Mean;

    /// <summary>Fills with center + deviation · z.</summary>
    public void Fill<T>(RandomKey key, double center, double deviation, Buffer<T> target) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        RandomStream random = new(key);
        bool common = Mass > EnoughMass;
        Span<T> span = target.Span;
        for (int i = 0; i < span.Length; i++)
        {
            double z;
            do
            {
                z = common ? random.NextGaussian() : Rare(ref random);
            }
            while (!(z >= low && z <= high));
            span[i] = T.CreateTruncating(center + deviation * z);
        }
    }

    /// <summary>Rejection from the uniform distribution between the bounds. Robert 1995, section 2.</summary>
    private double Rare(ref RandomStream random)
    {
        double nearest = low > 0 ? low : high < 0 ? high : 0;
        double from = Math.Max(low, -40);
        double to = Math.Min(high, 40);
        // Beyond a tail's bound b the density falls by e^-32 within 8, or within 32/b if that is less.
        double reach = Math.Min(8, 32 / Math.Max(4, Math.Abs(nearest)));
        (from, to) = (Math.Max(from, nearest - reach), Math.Min(to, nearest + reach));
        double z = from + (to - from) * random.NextUniform();
        return random.NextUniform() <= Math.Exp((nearest * nearest - z * z) / 2) ? z : double.NaN;
    }

    private static double Density(double z) => Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);

    private static double Moment(double z) => double.IsInfinity(z) ? 0 : z * Density(z);

    /// <summary>Mass above z.</summary>
    private static double Tail(double z) =>
        Vec1<double>.Sum(SimdMath.Erfc<Vec1<double>, double>(Vec1<double>.Broadcast(z / Math.Sqrt(2)))) / 2;
}
