namespace Fathom.Theory;

/// <summary>Roots of a function of one variable.</summary>
internal static class RootFinding
{
    /// <summary>The root between two points at which f has different signs, by bisection.</summary>
    public static double Bisect(Func<double, double> f, double low, double high, double relativeTolerance = 1e-13)
    {
        bool rising = f(low) < 0;
        for (int i = 0; i < 200 && high - low > relativeTolerance * Math.Max(Math.Abs(low), Math.Abs(high)); i++)
        {
            double middle = (low + high) / 2;
            if (f(middle) < 0 == rising)
            {
                low = middle;
            }
            else
            {
                high = middle;
            }
        }
        return (low + high) / 2;
    }
}
