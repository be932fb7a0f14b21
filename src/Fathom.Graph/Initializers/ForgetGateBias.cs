using Fathom.Compute;

namespace Fathom.Graphs.Initializers;

/// <summary>
/// The bias of an LSTM, gates i, f, g, o: b_f = <paramref name="Number"/> and b_i = b_g = b_o = 0. With 1 the cell
/// keeps most of what it holds from the first step on, and so does its gradient. b = (0, <paramref name="Number"/>,
/// 0, 0). Gers et al. (2000), Jozefowicz et al. (2015); Keras' unit_forget_bias.
/// </summary>
/// <param name="Number">The forget gate's bias.</param>
public sealed record ForgetGateBias(double Number = 1) : Initializer
{
    private const int Gates = 4;

    public override string Kind => "forget_gate_bias";

    public override double Mean => Number / Gates;

    public override double Variance(Fans fans) => Number * Number * (Gates - 1) / (Gates * Gates);

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target)
    {
        if (target.Length % Gates != 0)
        {
            throw new GraphException($"initializer {Kind}: it fills a bias of {Gates} gates (i, f, g, o), given shape {shape}");
        }
        int units = target.Length / Gates;
        target.Span.Clear();
        target.Span.Slice(units, units).Fill(T.CreateTruncating(Number));
    }
}
