using System.Collections.Concurrent;
using Fathom.Docs.Tests.Reference;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Testing;

namespace Fathom.Docs.Tests.Plots;

/// <summary>φ and φ′ of each activation, computed by its own kernel and gradient in float64.</summary>
internal static class ActivationPlots
{
    /// <summary>The plot goes from −Reach to Reach.</summary>
    public const double Reach = 4;

    private const int StepsPerUnit = 20;

    /// <summary>A slope that changes by more than this from one point to the next jumps.</summary>
    private const double Jump = 0.15;

    private static readonly ConcurrentDictionary<string, (double X, double Y, double Slope)[]> Evaluated = new();

    /// <summary>For what has several inputs: how many, which one varies, and what the others are.</summary>
    private static readonly Dictionary<string, (int Width, int Varying, double Others, string Note)> Inputs = new()
    {
        ["softmax"] = (2, 0, 0, "first of two outputs; the second input is 0"),
        ["log_softmax"] = (2, 0, 0, "first of two outputs; the second input is 0"),
        ["maxout"] = (2, 0, 0, "the second input is 0"),
        ["glu"] = (2, 1, 1, "the gate b, with a = 1"),
        ["swiglu"] = (2, 0, 1, "a, with b = 1"),
    };

    public static string Write(Part part)
    {
        (double X, double Y, double Slope)[] points = Evaluate(part);
        (double slope, double? at) = ActivationFacts.LargestSlope(part);
        string? note = Inputs.TryGetValue(part.Kind, out (int Width, int Varying, double Others, string Note) inputs) ? inputs.Note : null;
        Plot plot = new((-Reach, Reach), (-2.2, 4.2),
            new Curve("φ", [.. points.Select(point => (point.X, point.Y))]),
            new Curve("φ′", WithBreaks([.. points.Select(point => (point.X, point.Slope))])))
        {
            Description = $"{part.Kind} and its slope from −{Reach} to {Reach}",
            XTitle = note is null ? "x" : $"x ({note})",
            Mark = at is { } x ? (x, slope, $"largest slope {ActivationFacts.Fraction(slope)}") : null,
        };
        return plot.Write();
    }

    /// <summary>x, φ(x) and φ′(x) on the plot's grid.</summary>
    public static (double X, double Y, double Slope)[] Evaluate(Part part) => Evaluated.GetOrAdd(part.Kind, _ => Run(part));

    /// <summary>A copy that is interrupted where the curve jumps.</summary>
    public static IReadOnlyList<(double X, double Y)> WithBreaks(IReadOnlyList<(double X, double Y)> points)
    {
        List<(double X, double Y)> result = [];
        foreach ((double x, double y) in points)
        {
            if (result.Count > 0 && Math.Abs(y - result[^1].Y) > Jump)
            {
                result.Add((x, double.NaN));
            }
            result.Add((x, y));
        }
        return result;
    }

    private static (double X, double Y, double Slope)[] Run(Part part)
    {
        (int width, int varying, double others, _) = Inputs.GetValueOrDefault(part.Kind, (1, 0, 0, ""));
        int count = (int)(2 * Reach * StepsPerUnit) + 1;
        double[] x = [.. Enumerable.Range(0, count).Select(i => (double)i / StepsPerUnit - Reach)];
        GraphRun<double> run = new() { Training = false };
        List<Value> inputs = [run.Real("x", [count, width], x.SelectMany(value => Enumerable.Range(0, width).Select(k => k == varying ? value : others)))];
        Op op = (Op)part.Value;
        foreach (ParameterSlot slot in op.Slots([inputs[0].Type]))
        {
            double number = ((ConstantInitializer)slot.Initializer).Number;
            inputs.Add(run.Real(slot.Name, slot.Shape.Bind(1), Enumerable.Repeat(number, slot.Shape.Elements(1))));
        }
        Value y = run.Builder.Add("f", op, inputs.ToArray());
        int outWidth = y.Shape[^1].Size;
        run.Output("y", y, Enumerable.Range(0, count * outWidth).Select(i => i % outWidth == 0 ? 1.0 : 0));
        run.Execute(["x"]);
        return [.. Enumerable.Range(0, count).Select(i => (x[i], run.Results["y"][i * outWidth], run.Gradients["x"][i * width + varying]))];
    }
}
