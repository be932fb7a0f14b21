using Fathom.Compute;

namespace Fathom.Graphs.Initializers;

/// <summary>A table whose rows are drawn, but for one that is zero: the row of a padding index.</summary>
/// <param name="Rest">How the table is filled before the row is set to zero; its moments stand for the whole.</param>
/// <param name="Row">The row that is zero.</param>
public sealed record ZeroRowInitializer(Initializer Rest, int Row) : Initializer
{
    public override string Kind => Rest.Kind;

    public override double Mean => Rest.Mean;

    public override double Variance(Fans fans) => Rest.Variance(fans);

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target)
    {
        Rest.Fill(shape, key, target);
        int width = target.Length / shape[0].Size;
        target.Slice(Row * width, width).Span.Clear();
    }
}
