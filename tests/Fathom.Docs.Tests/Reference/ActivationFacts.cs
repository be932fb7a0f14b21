using System.Globalization;
using System.Text;
using Fathom.Docs.Tests.Plots;
using Fathom.Graphs.Ops;
using Fathom.Theory;

namespace Fathom.Docs.Tests.Reference;

/// <summary>What an activation does to gradients, in numbers.</summary>
internal static class ActivationFacts
{
    private const int Depth = 20;

    public const string Introduction =
        """
        Backpropagation multiplies the gradient by every layer's weights and by every activation's slope φ′. Where the
        product of the two is below 1 in size, layer after layer, the gradient vanishes; where it is above 1, it explodes.

        The sigmoid shows it best. Its slope σ(1 − σ) is at most 1/4, at 0, and less everywhere else. With a weight w before
        it, |w|·σ′ of the gradient is left, so a chain of n such units whose weights are at most 1 in size leaves at most (1/4)ⁿ of it: a
        millionth after ten of them, 10⁻¹² after twenty. Only weights above 4 in size could make up for it, and they would drive
        the sigmoid to where it is flat. Whatever else is done for a deep network, an activation whose slope is near 1 where its
        inputs lie is the first thing to look for.

        In each plot the solid line is φ and the dashed one its slope φ′, both as Fathom's own kernels compute them.
        """;

    /// <summary>The activations side by side, steepest first.</summary>
    public static string Comparison()
    {
        StringBuilder text = new($"""
            ## Side by side
            Inputs are taken from the normal distribution with mean 0 and variance 1. A layer with weights of variance 1/fan-in passes
            on the share E[φ′²] of a gradient's mean square; the fourth column says how many times smaller or larger the gradient's norm
            is after {Depth} such layers whose inputs stay so. The gain is what makes up for it: weights of variance gain²/fan-in.

            | activation | largest slope | E[φ′²] | norm after {Depth} layers | gain for 1 | gain that Fathom recommends |
            |---|---|---|---|---|---|

            """);
        foreach ((Part part, Activation activation) in Part.All.Where(part => part.Value is Activation).Select(part => (part, (Activation)part.Value))
            .OrderByDescending(pair => Moment(pair.Item2)).ThenBy(pair => pair.part.Kind, StringComparer.Ordinal))
        {
            double moment = Moment(activation);
            text.Append(CultureInfo.InvariantCulture,
                $"| [`{part.Kind}`](#{part.Kind}) | {Number(LargestSlope(part).Slope)} | {Number(moment)} | × {Number(Math.Pow(moment, Depth / 2.0))} | {Number(1 / Math.Sqrt(moment))} | {Number(activation.RecommendedWeightGain)} |\n");
        }
        return text.Append('\n').ToString();
    }

    /// <summary>Sentences on one activation.</summary>
    public static string Of(Part part)
    {
        (double slope, double? at) = LargestSlope(part);
        StringBuilder text = new($"Largest slope on the plot: {Fraction(slope)}{(at is { } x ? $", at x = {Number(x)}" : "")}.");
        if (slope < 0.999)
        {
            text.Append($" A chain of 10 such units with weights of at most 1 in size leaves at most {Number(Math.Pow(slope, 10))} of a gradient.");
        }
        if (part.Value is Activation { Saturation: { } region })
        {
            text.Append($" Counts as saturated at outputs {Bounds(region.Low, region.High)}.");
        }
        return text.ToString();
    }

    /// <summary>The largest slope on the grid, and where it is, if at one point only.</summary>
    public static (double Slope, double? At) LargestSlope(Part part)
    {
        (double X, double Y, double Slope)[] points = ActivationPlots.Evaluate(part);
        double largest = points.Max(point => point.Slope);
        double[] at = [.. points.Where(point => point.Slope > largest - 1e-9).Select(point => point.X)];
        return (largest, at.Length == 1 && Math.Abs(at[0]) < ActivationPlots.Reach ? at[0] : null);
    }

    /// <summary>Three digits, as a fraction where it is a well-known one.</summary>
    public static string Fraction(double number) => Number(number) == "0.25" ? "1/4" : Number(number) == "0.5" ? "1/2" : Number(number);

    public static string Number(double number)
    {
        string text = number.ToString("G3", CultureInfo.InvariantCulture);
        int exponent = text.IndexOf('E', StringComparison.Ordinal);
        return exponent < 0 ? text.Replace("-", "−", StringComparison.Ordinal)
            : $"{text[..exponent]}·10{Superscript(int.Parse(text.AsSpan(exponent + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture))}";
    }

    private static double Moment(Activation activation) => GaussianIntegral.Expectation(x => activation.Slope(x) * activation.Slope(x), 0, 1, activation.Kinks.AsSpan());

    private static string Bounds(double low, double high) => (double.IsFinite(low), double.IsFinite(high)) switch
    {
        (true, true) => $"of {Number(low)} or less and of {Number(high)} or more",
        (true, false) => $"of {Number(low)} or less",
        _ => $"of {Number(high)} or more",
    };

    private static string Superscript(int number) =>
        string.Concat(number.ToString(CultureInfo.InvariantCulture).Select(digit => digit == '-' ? '⁻' : "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit - '0']));
}
