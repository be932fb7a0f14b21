using Fathom.Compute;

namespace Fathom.Graphs.Initializers;

/// <summary>Every element the same number.</summary>
/// <param name="Number">The number.</param>
public sealed record ConstantInitializer(double Number) : Initializer
{
    public static readonly ConstantInitializer Zeros = new(0);

    public static readonly ConstantInitializer Ones = new(1);

    public override string Kind => Number switch { 0 => "zeros", 1 => "ones", _ => "constant" };

    public override double Mean => Number;

    public override double Variance(Fans fans) => 0;

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target) => target.Span.Fill(T.CreateTruncating(Number));
}
