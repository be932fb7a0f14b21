using System.Globalization;

namespace Fathom.Testing;

/// <summary>
/// Holds the gradients of a graph against central differences in float64. The scalar is Σ upstream · output, so every
/// element of every output counts.
/// </summary>
public static class GradientCheck
{
    /// <summary>Compares all gradients.</summary>
    /// <param name="make">Makes the graph from input tensors by name; must be a pure function of them.</param>
    /// <param name="inputs">Shape and elements of each real input.</param>
    /// <param name="tolerance">Allowed error relative to max(1, |gradient|).</param>
    /// <param name="step">Half the distance of the two points of a difference.</param>
    /// <returns>Null if all agree, otherwise the worst element.</returns>
    public static string? Mismatch(Func<IReadOnlyDictionary<string, double[]>, GraphRun<double>> make,
        IReadOnlyDictionary<string, double[]> inputs, IReadOnlyDictionary<string, double[]> upstream, double tolerance = 1e-6, double step = 1e-5)
    {
        GraphRun<double> analytic = make(inputs);
        analytic.Execute([.. inputs.Keys]);
        string? worst = null;
        double worstError = tolerance;
        foreach ((string name, double[] values) in inputs)
        {
            for (int i = 0; i < values.Length; i++)
            {
                double numeric = (Scalar(make, inputs, upstream, name, i, step) - Scalar(make, inputs, upstream, name, i, -step)) / (2 * step);
                double given = analytic.Gradients[name][i];
                double error = Math.Abs(numeric - given) / Math.Max(1, Math.Abs(numeric));
                if (!(error <= worstError))
                {
                    worstError = double.IsNaN(error) ? double.PositiveInfinity : error;
                    worst = string.Create(CultureInfo.InvariantCulture, $"grad.{name}[{i}]: {numeric:R} by differences, {given:R} given (error {error:E2})");
                }
            }
        }
        return worst;
    }

    private static double Scalar(Func<IReadOnlyDictionary<string, double[]>, GraphRun<double>> make,
        IReadOnlyDictionary<string, double[]> inputs, IReadOnlyDictionary<string, double[]> upstream, string name, int index, double shift)
    {
        Dictionary<string, double[]> moved = inputs.ToDictionary(pair => pair.Key, pair => (double[])pair.Value.Clone());
        moved[name][index] += shift;
        GraphRun<double> run = make(moved);
        run.Execute();
        return upstream.Sum(pair => pair.Value.Zip(run.Results[pair.Key], (u, y) => u * y).Sum());
    }
}
