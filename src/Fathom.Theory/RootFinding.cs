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

    /// <summary>
    /// The root between two points at which f has different signs, by false position with halving of the end that stays (Dowell
    /// and Jarratt 1971, the Illinois rule): a few calls where f is smooth.
    /// </summary>
    public static double FalsePosition(Func<double, double> f, double low, double high, double tolerance)
    {
        double below = f(low), above = f(high);
        int stayed = 0;
        for (int i = 0; i < 100 && high - low > tolerance && below != 0 && above != 0; i++)
        {
            double at = Math.Clamp((low * above - high * below) / (above - below), low, high);
            double value = f(at);
            if (Math.Abs(value) < 1e-14)
            {
                return at;
            }
            if (Math.Sign(value) == Math.Sign(below))
            {
                (low, below) = (at, value);
                above = stayed == 1 ? above / 2 : above;
                stayed = 1;
            }
            else
            {
                (high, above) = (at, value);
                below = stayed == -1 ? below / 2 : below;
                stayed = -1;
            }
        }
        return below == 0 ? low : above == 0 ? high : (low + high) / 2;
    }
}
