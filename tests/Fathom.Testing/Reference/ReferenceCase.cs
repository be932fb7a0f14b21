using System.Globalization;
using System.Text.Json;
using Fathom.Formats.SafeTensors;

namespace Fathom.Testing.Reference;

/// <summary>One case of the index: attributes, tensors, tolerances.</summary>
public sealed class ReferenceCase
{
    private readonly ReferenceFolder folder;
    private readonly JsonElement entry;

    internal ReferenceCase(ReferenceFolder folder, JsonElement entry)
    {
        this.folder = folder;
        this.entry = entry;
        Inputs = Names("inputs");
        Outputs = Names("outputs");
        Upstream = Names("upstream");
        GradientInputs = Names("grad_inputs");
        Activations = Names("activations");
        Checks = Names("checks");
    }

    public string Id => Text("id");

    public string Family => Text("family");

    public string Op => Text("op");

    public IReadOnlyList<string> Inputs { get; }

    public IReadOnlyList<string> Outputs { get; }

    /// <summary>Outputs with an upstream gradient, stored as <c>grad_output.NAME</c>.</summary>
    public IReadOnlyList<string> Upstream { get; }

    /// <summary>Inputs whose gradient is stored, as <c>grad.NAME</c>.</summary>
    public IReadOnlyList<string> GradientInputs { get; }

    /// <summary>Networks only: outputs whose gradient is stored, as <c>grad.NAME</c>.</summary>
    public IReadOnlyList<string> Activations { get; }

    /// <summary>Tensors that are compared only where their mask, <c>check.NAME</c>, is 1.</summary>
    public IReadOnlyList<string> Checks { get; }

    public JsonElement Attributes => entry.GetProperty("attributes");

    public SafeTensor Tensor(string name) => folder.OpenFile(Text("file")).Tensor($"{Id}/{name}");

    public bool Has(string attribute) => Attributes.TryGetProperty(attribute, out _);

    public double Number(string attribute, double fallback = double.NaN) =>
        Attributes.TryGetProperty(attribute, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : fallback;

    public bool Flag(string attribute, bool fallback = false) =>
        Attributes.TryGetProperty(attribute, out JsonElement value) ? value.GetBoolean() : fallback;

    public string? TextAttribute(string attribute) =>
        Attributes.TryGetProperty(attribute, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>Compares a tensor by the case's tolerance.</summary>
    /// <param name="name">An output, or <c>grad.NAME</c>.</param>
    /// <param name="actual">What Fathom computed.</param>
    /// <returns>Null if all elements pass, otherwise the worst one.</returns>
    public string? Mismatch(string name, ReadOnlySpan<float> actual)
    {
        float[] expected = Tensor(name).ToSingles();
        if (expected.Length != actual.Length)
        {
            return $"{Id} {name}: {expected.Length} elements expected, {actual.Length} given";
        }
        bool[]? mask = Checks.Contains(name) ? [.. Tensor($"check.{name}").ToSingles().Select(x => x != 0)] : null;
        (double rtol, double atol) = Tolerance(name);
        (int worst, double excess) = (-1, 0);
        for (int i = 0; i < expected.Length; i++)
        {
            double beyond = mask is { } m && !m[i] ? 0 : Beyond(actual[i], expected[i], rtol, atol);
            if (beyond > excess)
            {
                (worst, excess) = (i, beyond);
            }
        }
        return worst < 0 ? null : string.Create(CultureInfo.InvariantCulture,
            $"{Id} {name}[{worst}]: {expected[worst]:R} expected, {actual[worst]:R} given (rtol {rtol}, atol {atol})");
    }

    private (double Relative, double Absolute) Tolerance(string name)
    {
        JsonElement tolerance = entry.GetProperty("tolerance");
        double atol = tolerance.GetProperty("atol").GetDouble();
        if (tolerance.TryGetProperty("atol_by_tensor", out JsonElement byTensor) && byTensor.TryGetProperty(name, out JsonElement own))
        {
            atol = own.GetDouble();
        }
        return (tolerance.GetProperty("rtol").GetDouble(), atol);
    }

    private static double Beyond(double actual, double expected, double rtol, double atol)
    {
        if (double.IsNaN(expected) || double.IsInfinity(expected))
        {
            return actual.Equals(expected) ? 0 : double.PositiveInfinity;
        }
        double error = Math.Abs(actual - expected);
        double allowed = atol + rtol * Math.Abs(expected);
        return error <= allowed ? 0 : double.IsNaN(error) ? double.PositiveInfinity : error / Math.Max(allowed, double.Epsilon);
    }

    private string Text(string property) => entry.GetProperty(property).GetString()!;

    private string[] Names(string property) => entry.TryGetProperty(property, out JsonElement list) switch
    {
        false => [],
        true when list.ValueKind == JsonValueKind.Object => [.. list.EnumerateObject().Select(item => item.Name)],
        true => [.. list.EnumerateArray().Select(item => item.GetString()!)],
    };
}
