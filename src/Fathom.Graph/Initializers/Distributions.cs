using Fathom.Compute;

namespace Fathom.Graphs.Initializers;

/// <summary>Normal with a fixed mean and standard deviation.</summary>
/// <param name="Center">Mean.</param>
/// <param name="StandardDeviation">Standard deviation; greater than 0.</param>
public sealed record NormalInitializer(double Center = 0, double StandardDeviation = 0.05) : Initializer
{
    public override string Kind => "normal";

    public override double Mean => Center;

    public override double Variance(Fans fans) => StandardDeviation * StandardDeviation;

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target) =>
        RandomFill.Normal(key, T.CreateTruncating(Center), T.CreateTruncating(StandardDeviation), target);
}

/// <summary>Uniform between two bounds.</summary>
/// <param name="Low">Lower bound.</param>
/// <param name="High">Upper bound, not below the lower one.</param>
public sealed record UniformInitializer(double Low = -0.05, double High = 0.05) : Initializer
{
    public override string Kind => "uniform";

    public override double Mean => (Low + High) / 2;

    public override double Variance(Fans fans) => (High - Low) * (High - Low) / 12;

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target) =>
        RandomFill.Uniform(key, T.CreateTruncating(Low), T.CreateTruncating(High), target);
}

/// <summary>
/// center + deviation·z, z standard normal but redrawn beyond two bounds. It is not rescaled, as PyTorch's and Keras'
/// truncated normal, so its variance is smaller than deviation².
/// </summary>
/// <param name="Center">Mean before the cut.</param>
/// <param name="StandardDeviation">Standard deviation before the cut.</param>
/// <param name="Low">Lower bound, in standard deviations from the center; at most 30.</param>
/// <param name="High">Upper bound, in standard deviations from the center; above the lower one and at least −30.</param>
public sealed record TruncatedNormalInitializer(double Center = 0, double StandardDeviation = 0.05, double Low = -2, double High = 2) : Initializer
{
    /// <summary>The last standard deviation of which a double can tell a density, with room to spare.</summary>
    public const int Farthest = 30;

    public override string Kind => "truncated_normal";

    /// <summary>Whether there is something between the bounds to draw; without, rejection would go on for ever.</summary>
    public bool HasMass => Low < High && Low <= Farthest && High >= -Farthest;

    public override double Mean => Center + StandardDeviation * new TruncatedNormal(Low, High).Mean;

    public override double Variance(Fans fans) => StandardDeviation * StandardDeviation * new TruncatedNormal(Low, High).Variance;

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target) =>
        (HasMass ? new TruncatedNormal(Low, High) : throw new GraphException(FormattableString.Invariant($"initializer truncated_normal: nothing can be drawn from {Low} to {High} standard deviations; low must be below high, and a part of them within {Farthest}")))
            .Fill(key, Center, StandardDeviation, target);
}
