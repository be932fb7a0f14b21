using Fathom.Compute;

namespace Fathom.Graphs.Initializers;

/// <summary>
/// A weight (3·D, E) that stacks the projections to queries, keys and values: Xavier normal by the fans of each, E and D,
/// Var(w) = 2/(E + D), and for the values times gain². With a gain of β it is DeepNorm's (Wang et al. 2022, figure 2).
/// </summary>
/// <param name="ValueGain">Gain of the values; greater than 0.</param>
public sealed record QueryKeyValueXavier(double ValueGain = 1) : Initializer
{
    private const int Projections = 3;

    public override string Kind => "query_key_value_xavier";

    /// <summary>Mean over the three projections.</summary>
    public override double Variance(Fans fans) => (2 + ValueGain * ValueGain) / Projections * OfOne(fans);

    public override string? Requirement(Shape shape) =>
        shape.Rank == 2 && shape[0].Size % Projections == 0 ? null : "a weight (3·D, E) of stacked queries, keys and values";

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target)
    {
        double deviation = Math.Sqrt(OfOne(Fans.Of(shape)));
        RandomFill.Normal(key, T.Zero, T.CreateTruncating(deviation), target);
        int values = target.Length / Projections;
        Span<T> last = target.Span[^values..];
        System.Numerics.Tensors.TensorPrimitives.Multiply<T>(last, T.CreateTruncating(ValueGain), last);
    }

    private static double OfOne(Fans fans) => 2 / Math.Max(1, fans.In + fans.Out / Projections);
}
