using System.Globalization;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;

namespace Fathom.Testing.Reference.Runners;

/// <summary>
/// Initializers: what they claim of one element (mean, deviation), and what a sample of whole tensors shows, within the
/// tolerances of the case.
/// </summary>
public sealed class InitializerReferenceRunner : ReferenceRunner
{
    public override IReadOnlyCollection<string> Ops =>
    [
        "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "lecun_uniform", "lecun_normal", "orthogonal",
        "truncated_normal", "variance_scaling_truncated_normal",
    ];

    public override IReadOnlyList<string> Run(ReferenceCase reference)
    {
        int[] extents = [.. reference.Attributes.GetProperty("shape").EnumerateArray().Select(item => item.GetInt32())];
        Shape shape = Shape.Of([.. extents.Select(extent => (Dim)extent)]);
        Initializer initializer = InitializerOf(reference);
        List<string> mismatches = [];
        Fans fans = Fans.Of(shape);
        if (fans.In != reference.Number("fan_in") || fans.Out != reference.Number("fan_out"))
        {
            mismatches.Add(string.Create(CultureInfo.InvariantCulture, $"{reference.Id}: fans are {fans.In} and {fans.Out}"));
        }
        Note(reference.Mismatch("mean", [(float)initializer.Mean]), mismatches);
        Note(reference.Mismatch("std", [(float)Math.Sqrt(initializer.Variance(fans))]), mismatches);
        using AlignedMemory<float> tensor = new(checked((int)shape.ElementsPerSample));
        List<double> sample = [];
        for (uint draw = 0; sample.Count < reference.Number("sample_elements"); draw++)
        {
            initializer.Fill(shape, new RandomKey(7, RandomKey.StreamOf(reference.Id), draw), tensor.Buffer);
            sample.AddRange(tensor.Buffer.Span.ToArray().Select(element => (double)element));
        }
        CompareSample(reference, sample, mismatches);
        if (reference.Outputs.Contains("gram"))
        {
            Note(reference.Mismatch("gram", Gram(tensor.Buffer.Span.ToArray(), extents[0])), mismatches);
        }
        return mismatches;
    }

    private static void CompareSample(ReferenceCase reference, List<double> sample, List<string> mismatches)
    {
        double mean = sample.Average();
        double deviation = Math.Sqrt(sample.Average(x => (x - mean) * (x - mean)));
        double expectedMean = reference.Tensor("mean").ToDoubles()[0];
        double expectedDeviation = reference.Tensor("std").ToDoubles()[0];
        if (!(Math.Abs(mean - expectedMean) <= reference.Number("mean_tolerance")))
        {
            mismatches.Add(string.Create(CultureInfo.InvariantCulture, $"{reference.Id}: sample mean {mean}, expected {expectedMean}"));
        }
        if (!(Math.Abs(deviation - expectedDeviation) <= reference.Number("std_tolerance")))
        {
            mismatches.Add(string.Create(CultureInfo.InvariantCulture, $"{reference.Id}: sample deviation {deviation}, expected {expectedDeviation}"));
        }
        if (reference.Outputs.Contains("low"))
        {
            // A bound itself may be hit when a number is rounded to float.
            double low = reference.Tensor("low").ToDoubles()[0];
            double high = reference.Tensor("high").ToDoubles()[0];
            double slack = 1e-6 * Math.Max(Math.Abs(low), Math.Abs(high));
            if (sample.Min() < low - slack || sample.Max() > high + slack)
            {
                mismatches.Add(string.Create(CultureInfo.InvariantCulture, $"{reference.Id}: sample from {sample.Min()} to {sample.Max()}, expected {low} to {high}"));
            }
        }
    }

    /// <summary>W·Wᵀ, or Wᵀ·W if W has more rows than columns.</summary>
    private static float[] Gram(float[] w, int rows)
    {
        int columns = w.Length / rows;
        bool tall = rows > columns;
        (int side, int length) = tall ? (columns, rows) : (rows, columns);
        float[] gram = new float[side * side];
        for (int i = 0; i < side; i++)
        {
            for (int j = 0; j < side; j++)
            {
                double dot = 0;
                for (int k = 0; k < length; k++)
                {
                    dot += tall ? (double)w[k * columns + i] * w[k * columns + j] : (double)w[i * columns + k] * w[j * columns + k];
                }
                gram[i * side + j] = (float)dot;
            }
        }
        return gram;
    }

    private static Initializer InitializerOf(ReferenceCase reference)
    {
        double? gain = reference.Has("gain") ? reference.Number("gain") : null;
        FanMode? mode = reference.TextAttribute("mode") switch
        {
            "fan_in" => FanMode.In,
            "fan_out" => FanMode.Out,
            "fan_avg" => FanMode.Average,
            _ => null,
        };
        if (reference.Op == "truncated_normal")
        {
            (double mean, double deviation) = (reference.Number("mean"), reference.Number("std"));
            return new TruncatedNormalInitializer(mean, deviation, (reference.Number("a") - mean) / deviation, (reference.Number("b") - mean) / deviation);
        }
        return reference.Op == "variance_scaling_truncated_normal"
            ? InitializerCatalog.Create("variance_scaling", Math.Sqrt(reference.Number("scale")), mode)
            : InitializerCatalog.Create(reference.Op, gain, mode);
    }

    private static void Note(string? mismatch, List<string> mismatches)
    {
        if (mismatch is not null)
        {
            mismatches.Add(mismatch);
        }
    }
}
