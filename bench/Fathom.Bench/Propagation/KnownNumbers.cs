using System.Globalization;
using Fathom.Graphs.Ops;
using Fathom.Theory;

namespace Fathom.Bench.Propagation;

/// <summary>A number of the literature, or computed independently, and what theory gives for it.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Known">As it is printed; its last digit says how exact it is.</param>
/// <param name="Computed">What theory gives.</param>
internal sealed record KnownNumber(string Name, string Known, double Computed)
{
    private const double Tolerance = 1e-4;

    public double Expected => double.Parse(Known, CultureInfo.InvariantCulture);

    /// <summary>10⁻⁴, or half a unit of the last digit that is known.</summary>
    public double Allowed => Math.Max(Tolerance * Math.Max(1, Math.Abs(Expected)), 0.5001 * Math.Pow(10, -Decimals));

    public bool Holds => Math.Abs(Computed - Expected) <= Allowed;

    private int Decimals => Known.Contains('.', StringComparison.Ordinal) ? Known.Length - Known.IndexOf('.', StringComparison.Ordinal) - 1 : 0;
}

/// <summary>
/// Single numbers of mean-field theory: moments of activations at q = 1, points on the edge of chaos, fixed points of tanh
/// and maps of the correlation, by quadrature outside of this project; ReLU's map of the correlation is Cho and Saul's (2009).
/// </summary>
internal static class KnownNumbers
{
    public static IEnumerable<KnownNumber> All()
    {
        foreach ((Activation activation, string mean, string square, string slope) in Moments)
        {
            MeanField field = new(activation);
            yield return new($"{activation.Kind}: E φ at q = 1", mean, field.Mean(1));
            yield return new($"{activation.Kind}: E φ² at q = 1", square, field.V(1));
            yield return new($"{activation.Kind}: E φ'² at q = 1", slope, field.SlopeMoment(1));
        }
        MeanField tanh = new(new Tanh()), relu = new(new Relu());
        foreach ((double bias, string weight) in Critical)
        {
            yield return new(Invariant($"tanh: critical σw² at σb² = {bias}"), weight, tanh.CriticalWeightVariance(bias) ?? double.NaN);
        }
        foreach (KnownNumber number in HalfStable().Concat(Sigmoid()).Concat(FixedPoints(tanh)).Concat(Maps(tanh, relu)))
        {
            yield return number;
        }
    }

    private static readonly (Activation, string, string, string)[] Moments =
    [
        (new Sigmoid(), "0.5", "0.293379", "0.044836"), (new Tanh(), "0", "0.394294", "0.464403"), (new Elu(), "0.160521", "0.644945", "0.668102"),
        (new Selu(), "0", "1", "1.071575"), (new Gelu(), "0.282095", "0.425221", "0.455851"), (new Silu(), "0.206621", "0.355776", "0.379482"),
        (new Softplus(), "0.806059", "0.921246", "0.293379"), (new Relu(), "0.398942", "0.5", "0.5"),
    ];

    private static readonly (double Bias, string Weight)[] Critical = [(2.01e-5, "1.050"), (0.01, "1.42421"), (0.05, "1.76095"), (0.1, "1.98607"), (0.2, "2.28515")];

    private static readonly (double Weight, string Length, string Chi1, string Correlation, string Scale)[] Tanh =
    [
        (1.2, "0.26990", "0.84517", "1", "5.94"), (1.4, "0.36488", "0.91103", "1", "10.73"), (1.6, "0.47425", "0.96369", "1", "27.0"),
        (2.0, "0.72176", "1.04767", "0.7441", "25.2"), (2.5, "1.06396", "1.13352", "0.4468", "11.8"), (4.0, "2.19549", "1.34240", "0.1651", "6.98"),
    ];

    private static IEnumerable<KnownNumber> HalfStable()
    {
        foreach ((Activation activation, double length, string weight, string bias) in new (Activation, double, string, string)[]
            { (new Gelu(), 3.561553, "1.983058", "0.172922"), (new Silu(), 14.32017, "1.988005", "0.555143") })
        {
            (double weights, double biases) = new MeanField(activation).CriticalPoint(length);
            yield return new(Invariant($"{activation.Kind}: half-stable critical σw² (q* = {length})"), weight, weights);
            yield return new($"{activation.Kind}: half-stable critical σb²", bias, biases);
            yield return new($"{activation.Kind}: χq there", "1.000", new MeanField(activation).ChiLength(length, weights));
        }
    }

    private static IEnumerable<KnownNumber> Sigmoid()
    {
        MeanField field = new(new Sigmoid());
        yield return new("sigmoid: critical σw² at σb = 0", "103.0", field.CriticalWeightVariance(0) ?? double.NaN);
        yield return new("sigmoid: q* there", "45.6", field.FixedPoint(field.CriticalWeightVariance(0) ?? 1, 0, 45).Length);
    }

    private static IEnumerable<KnownNumber> FixedPoints(MeanField tanh)
    {
        foreach ((double weight, string length, string chi1, string correlation, string scale) in Tanh)
        {
            MeanFieldPoint point = tanh.FixedPoint(weight, 0.05);
            string at = Invariant($"tanh (σw², σb²) = ({weight}, 0.05)");
            yield return new($"{at}: q*", length, point.Length);
            yield return new($"{at}: χ1", chi1, point.Chi1);
            yield return new($"{at}: c*", correlation, point.Correlation);
            yield return new($"{at}: ξc", scale, point.CorrelationScale);
        }
    }

    private static IEnumerable<KnownNumber> Maps(MeanField tanh, MeanField relu)
    {
        double q = tanh.FixedPoint(1.5, 0.05).Length;
        yield return new("tanh (1.5, 0.05): q*", "0.418037", q);
        foreach ((double c, string next) in new[] { (0, "0.119607"), (0.6, "0.637429"), (0.9, "0.907091") })
        {
            yield return new(Invariant($"tanh (1.5, 0.05): c map at {c}"), next, tanh.NextCorrelation(q, c, 1.5, 0.05));
        }
        Dictionary<int, string> known = new() { [1] = "0.318310", [2] = "0.493731", [3] = "0.604826", [4] = "0.680954", [5] = "0.735946", [10] = "0.871536", [50] = "0.987862" };
        double correlation = 0;
        for (int layer = 1; layer <= 50; layer++)
        {
            correlation = relu.NextCorrelation(1, correlation, 2, 0);
            if (known.TryGetValue(layer, out string? value))
            {
                yield return new($"He ReLU from c = 0: layer {layer}", value, correlation);
            }
        }
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
