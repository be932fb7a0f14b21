using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>A vector of given numbers, such as class weights. No inputs; output: (count).</summary>
/// <param name="Numbers">The elements; at least one.</param>
public sealed record ConstantVector(ImmutableArray<double> Numbers) : Source
{
    public override string Kind => "constant_vector";

    public override TensorType Type { get; init; } = new(Shape.Of(Numbers.Length));

    public override void Run<T>(in KernelContext<T> context)
    {
        Span<T> y = context.Output(0);
        for (int i = 0; i < y.Length; i++)
        {
            y[i] = T.CreateTruncating(Numbers[i]);
        }
    }

    public bool Equals(ConstantVector? other) => other is not null && Numbers.AsSpan().SequenceEqual(other.Numbers.AsSpan());

    public override int GetHashCode() => Numbers.Length;
}
