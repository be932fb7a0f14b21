using System.Collections.Immutable;
using System.Numerics;
using System.Numerics.Tensors;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Adds a fixed wave for each column to every place p of a sequence: sin(p/base^(2i/D)) in column 2i, the cosine of the same
/// angle in column 2i + 1. Vaswani et al. (2017), section 3.5. Input: x (N, T, D). Outputs: y (N, T, D), and the table
/// (T, D) that was added.
/// </summary>
/// <param name="Base">The longest wavelength is 2π·base; above 0.</param>
public sealed record SinusoidalPositions(double Base = 10000) : Op
{
    /// <summary>Places after which the angle is computed anew; in between it is turned, which costs no sine.</summary>
    private const int FreshAngles = 32;

    public override string Kind => "sinusoidal_positions";

    /// <summary>The table's numbers come from no draw, so that its exact moments can be added.</summary>
    public override MomentRule? Moments => new(Propagate, static (_, _) => 1);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!(Base > 0 && double.IsFinite(Base)))
        {
            throw scope.BadAttribute("base", Base, "above 0");
        }
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        scope.RequireRank(0, 3, 3);
        Shape x = scope.Shape(0);
        if (x[1].PerSample || x[2].PerSample)
        {
            throw scope.Error("a sequence (N, T, D) of fixed length and width", $"shape {x}");
        }
        return [scope[0], new TensorType(Shape.Of(x[1], x[2]))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        Span<T> table = context.Output(1);
        int length = context.InputShape(0)[1];
        Fill(table, length, context.InputShape(0)[2]);
        for (int n = 0; n < context.InputShape(0)[0]; n++)
        {
            TensorPrimitives.Add(context.Input(0).Span.Slice(n * table.Length, table.Length), table, context.Output(0).Span.Slice(n * table.Length, table.Length));
        }
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0) && scope.OutputGradient(0) is { } upstream)
        {
            scope.Contribute(0, upstream);
        }
    }

    private void Fill<T>(Span<T> table, int length, int width) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (int column = 0; column < width; column += 2)
        {
            double step = 1 / Math.Pow(Base, (double)column / width);
            (double stepSine, double stepCosine) = Math.SinCos(step);
            (double sine, double cosine) = (0, 1);
            for (int place = 0; place < length; place++)
            {
                if (place % FreshAngles == 0)
                {
                    (sine, cosine) = Math.SinCos(place * step);
                }
                table[place * width + column] = T.CreateTruncating(sine);
                if (column + 1 < width)
                {
                    table[place * width + column + 1] = T.CreateTruncating(cosine);
                }
                (sine, cosine) = (sine * stepCosine + cosine * stepSine, cosine * stepCosine - sine * stepSine);
            }
        }
    }

    private Moments Propagate(MomentScope scope)
    {
        Shape shape = scope.Node.Outputs[1].Shape;
        double[] table = new double[shape.ElementsPerSample];
        Fill<double>(table, shape[0].Size, shape[1].Size);
        Moments x = scope.Inputs[0];
        (int length, int width) = (shape[0].Size, shape[1].Size);
        double mixed = 2 * x.Mean * table.Average(), square = table.Average(value => value * value);
        double sums = Enumerable.Range(0, width).Average(column => Square(Enumerable.Range(0, length).Sum(row => table[row * width + column])));
        double apart = length > 1 ? (sums - length * square) / (length * (length - 1.0)) : 0; // mean of t_i·t_j over i ≠ j
        return x.With(x.Mean + table.Average(), x.SecondMoment + mixed + square,
            pair => x.Product(pair) + mixed + (pair == MomentPair.Samples ? square : apart));

        static double Square(double value) => value * value;
    }
}

/// <summary>The verb of <see cref="SinusoidalPositions"/>.</summary>
public static class SinusoidalPositionsLayer
{
    /// <param name="network">Where to go on, (N, T, D).</param>
    /// <param name="base">The longest wavelength is 2π times this.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor SinusoidalPositions(this NetworkCursor network, double @base = 10000, string? name = null) =>
        network.Then(new SinusoidalPositions(@base), name);
}
