using Fathom.Compute;

namespace Fathom.Graphs.Initializers;

/// <summary>Normal with a fixed mean and standard deviation.</summary>
public sealed record NormalInitializer(double Center = 0, double StandardDeviation = 0.05) : Initializer
{
    public override string Kind => "normal";

    public override double Mean => Center;

    public override double Variance(Fans fans) => StandardDeviation * StandardDeviation;

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target) =>
        RandomFill.Normal(key, T.CreateTruncating(Center), T.CreateTruncating(StandardDeviation), target);
}

/// <summary>Uniform between two bounds.</summary>
public sealed record UniformInitializer(double Low = -0.05, double High = 0.05) : Initializer
{
    public override string Kind => "uniform";

    public override double Mean => (Low + High) / 2;

    public override double Variance(Fans fans) => (High - Low) * (High - Low) / 12;

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target) =>
        RandomFill.Uniform(key, T.CreateTruncating(Low), T.CreateTruncating(High), target);
}

/// <summary>Normal, redrawn beyond two standard deviations (not rescaled, as PyTorch's and Keras' truncated normal).</summary>
public sealed record TruncatedNormalInitializer(double Center = 0, double StandardDeviation = 0.05, double Bound = 2) : Initializer
{
    public override string Kind => "truncated_normal";

    public override double Mean => Center;

    public override double Variance(Fans fans) => StandardDeviation * StandardDeviation * VarianceOfUnit(Bound);

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target) => FillUnit(key, Bound, Center, StandardDeviation, target);

    /// <summary>Variance of a unit normal cut at ±bound: 1 − 2·b·φ(b) / (2Φ(b) − 1).</summary>
    internal static double VarianceOfUnit(double bound)
    {
        double density = Math.Exp(-bound * bound / 2) / Math.Sqrt(2 * Math.PI);
        double inside = 0;
        const int steps = 20_000;
        for (int i = 0; i < steps; i++)
        {
            double x = (i + 0.5) / steps * bound;
            inside += Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI) * 2 * bound / steps;
        }
        return 1 - 2 * bound * density / inside;
    }

    internal static void FillUnit<T>(RandomKey key, double bound, double center, double deviation, Buffer<T> target)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        RandomStream random = new(key);
        Span<T> span = target.Span;
        for (int i = 0; i < span.Length; i++)
        {
            double z;
            do
            {
                z = random.NextGaussian();
            }
            while (Math.Abs(z) > bound);
            span[i] = T.CreateTruncating(center + deviation * z);
        }
    }
}
