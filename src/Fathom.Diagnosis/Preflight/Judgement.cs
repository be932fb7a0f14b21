namespace Fathom.Diagnosis.Preflight;

/// <summary>
/// Holds a measurement against a prediction. Products of many random factors are close to log-normal (Hanin and Nica 2020,
/// "Products of many large random matrices and gradients in deep neural networks"), so both are compared as logarithms:
/// E[log10 ‖g‖] = log10 √E‖g‖² − ln(10)·s², where s is the standard deviation of log10 ‖g‖ (derived here: E[ln X] = ln E[X] −
/// Var(ln X)/2 for a log-normal X = ‖g‖²).
/// </summary>
public static class Judgement
{
    /// <summary>|z| beyond which a measurement is called unexpected.</summary>
    public const double MostZ = 3;

    /// <summary>
    /// What theory's approximations may be off by without anything being wrong: 10 % of a norm, the accuracy that is asked of
    /// it at width 256 and more.
    /// </summary>
    public const double Accuracy = 0.0414; // log10(1.1)

    /// <summary>The shift from the root of a mean square to the mean of a logarithm, in decades.</summary>
    /// <param name="deviation">Standard deviation of log10 of the norm.</param>
    public static double Shift(double deviation) => -Math.Log(10) * deviation * deviation;

    /// <summary>Compares measured norms with an expected one.</summary>
    /// <param name="expected">log10 of the root mean square that theory expects; NaN for nothing.</param>
    /// <param name="deviation">Standard deviation of that logarithm over weights, in decades.</param>
    /// <param name="measured">log10 of what each seed gave.</param>
    /// <param name="chance">Standard deviation in decades from what is the same for all seeds, such as the rows of the batch.</param>
    public static Comparison Compare(double expected, double deviation, IReadOnlyList<double> measured, double chance = 0)
    {
        double mean = measured.Count == 0 ? double.NaN : measured.Average();
        double spread = Deviation(measured, mean);
        double middle = expected + Shift(deviation);
        // A spread that is larger than predicted is believed; with few seeds a smaller one may be luck.
        double own = double.IsNaN(spread) ? deviation : Math.Max(deviation, spread);
        double error = Math.Sqrt(own * own / Math.Max(1, measured.Count) + Accuracy * Accuracy + chance * chance);
        double z = double.IsFinite(middle) ? (mean - middle) / error : double.NaN;
        return new Comparison(middle, deviation, mean, spread, z);
    }

    /// <summary>Standard deviation with n − 1; NaN for fewer than two numbers or one that is not finite.</summary>
    public static double Deviation(IReadOnlyList<double> numbers, double mean) => numbers.Count < 2 || !double.IsFinite(mean)
        ? double.NaN
        : Math.Sqrt(numbers.Sum(number => (number - mean) * (number - mean)) / (numbers.Count - 1));
}
