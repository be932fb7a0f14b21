namespace Fathom.Theory;

/// <summary>Nodes and weights of the Gauss–Legendre rule on [−1, 1], by Newton's method on Pₙ.</summary>
internal sealed class GaussLegendre
{
    public static readonly GaussLegendre Order12 = new(12);
    public static readonly GaussLegendre Order16 = new(16);

    private GaussLegendre(int order)
    {
        Nodes = new double[order];
        Weights = new double[order];
        for (int i = 0; i < order; i++)
        {
            double x = Math.Cos(Math.PI * (i + 0.75) / (order + 0.5));
            double slope = 0;
            for (int iteration = 0; iteration < 100; iteration++)
            {
                (double value, slope) = Polynomial(order, x);
                double step = value / slope;
                x -= step;
                if (Math.Abs(step) < 1e-16)
                {
                    break;
                }
            }
            Nodes[i] = x;
            Weights[i] = 2 / ((1 - x * x) * slope * slope);
        }
    }

    public double[] Nodes { get; }

    public double[] Weights { get; }

    /// <summary>Pₙ(x) and Pₙ'(x) by the three-term recurrence.</summary>
    private static (double Value, double Slope) Polynomial(int order, double x)
    {
        (double previous, double current) = (1, x);
        for (int n = 2; n <= order; n++)
        {
            (previous, current) = (current, ((2 * n - 1) * x * current - (n - 1) * previous) / n);
        }
        return (current, order * (x * current - previous) / (x * x - 1));
    }
}
