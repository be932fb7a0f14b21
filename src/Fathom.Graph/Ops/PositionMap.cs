using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>
/// A linear map y_i = Σ_j a_ij·x_j from the positions of a value to those of another, the same for every channel, such as a
/// pool: what second moments need of it. Maps of several axes multiply.
/// </summary>
/// <param name="Outputs">Positions of y.</param>
/// <param name="Inputs">Positions of x.</param>
/// <param name="Squares">Σ_ij a_ij².</param>
/// <param name="Rows">Σ_i (Σ_j a_ij)².</param>
/// <param name="Columns">Σ_j (Σ_i a_ij)².</param>
/// <param name="Total">(Σ_ij a_ij)².</param>
internal readonly record struct PositionMap(double Outputs, double Inputs, double Squares, double Rows, double Columns, double Total)
{
    /// <summary>The mean over all positions.</summary>
    public static PositionMap Average(double positions) => new(1, positions, 1 / positions, 1, 1 / positions, 1);

    /// <summary>Some of the positions, as they are.</summary>
    public static PositionMap Selection(double outputs, double inputs) => new(outputs, inputs, outputs, outputs, outputs, outputs * outputs);

    /// <summary>The map back: a gradient at y becomes one at x.</summary>
    public PositionMap Transposed => new(Inputs, Outputs, Squares, Columns, Rows, Total);

    /// <summary>A map whose row i has the given weights.</summary>
    /// <param name="rows">Weights of each output, with the input at which they begin.</param>
    /// <param name="inputs">Number of inputs.</param>
    public static PositionMap Of((int Start, double[] Weights)[] rows, int inputs)
    {
        double[] columns = new double[inputs];
        double squares = 0, sums = 0, total = 0;
        foreach ((int start, double[] weights) in rows)
        {
            double sum = 0;
            for (int j = 0; j < weights.Length; j++)
            {
                squares += weights[j] * weights[j];
                sum += weights[j];
                columns[start + j] += weights[j];
            }
            sums += sum * sum;
            total += sum;
        }
        return new PositionMap(rows.Length, inputs, squares, sums, columns.Sum(column => column * column), total * total);
    }

    /// <summary>The map of a grid, one along each axis.</summary>
    public PositionMap Times(PositionMap other) => new(Outputs * other.Outputs, Inputs * other.Inputs, Squares * other.Squares,
        Rows * other.Rows, Columns * other.Columns, Total * other.Total);

    /// <summary>
    /// Moments of y. With x_j of equal mean square and correlation r, E[y_i²] = q·((1 − r)·Σ a² + r·(Σ a)²), and for two
    /// positions the overlap of their rows takes the place of Σ a²; of two samples c − s and s stand for 1 − r and r.
    /// </summary>
    /// <param name="x">Moments of x.</param>
    /// <param name="positions">The positions of y; null if none are left.</param>
    public Moments Apply(Moments x, PositionMoments? positions)
    {
        (double r, double s, double c) = (x.CorrelationOf(MomentPair.Positions), x.CorrelationOf(MomentPair.Both), x.Correlation);
        if (x.Positions is null)
        {
            (r, s) = (0, 0);
        }
        double mean = x.Mean * Math.Sqrt(Total) / Outputs;
        PositionMap map = this;
        return Moments.Of(mean, x.SecondMoment * Same(1, r), positions, pair => x.SecondMoment * pair switch
        {
            MomentPair.Samples => map.Same(c, s),
            MomentPair.Positions => map.Different(1, r),
            _ => map.Different(c, s),
        });
    }

    private double Same(double equal, double different) => ((equal - different) * Squares + different * Rows) / Outputs;

    private double Different(double equal, double different) =>
        Outputs > 1 ? ((equal - different) * (Columns - Squares) + different * (Total - Rows)) / (Outputs * (Outputs - 1)) : different;
}
