using System.Numerics.Tensors;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>What one look has shown of an attention.</summary>
/// <param name="Entropy">
/// Mean entropy of the rows of attention weights over ln of how many places the row sees: 1 for uniform rows, 0 for rows that
/// see one place alone (Zhai et al. 2023). NaN if no row sees more than one place.
/// </param>
/// <param name="LargestLogit">Largest |q·k/√d| over all pairs that see each other.</param>
/// <param name="InputDifference">‖X − 1x̄ᵀ‖/‖X‖ of the queries' tokens, mean over rows of data (Dong et al. 2021): 0 if all tokens are the same.</param>
/// <param name="OutputDifference">The same of the attention's output.</param>
public readonly record struct AttentionLook(double Entropy, double LargestLogit, double InputDifference, double OutputDifference);

/// <summary>What an attention does, look by look.</summary>
public sealed class AttentionTrace
{
    /// <summary>Multiplications for logits in one look; fewer rows of data are taken where they would be more.</summary>
    private const long MostWork = 2_000_000;

    private readonly AttentionReading reading;
    private readonly List<AttentionLook> looks = [];

    internal AttentionTrace(Node layer, AttentionReading reading) => (Layer, this.reading) = (layer, reading);

    /// <summary>The node.</summary>
    public Node Layer { get; }

    /// <summary>The looks, the first right after step 0; those with a value that is not finite are left out.</summary>
    public IReadOnlyList<AttentionLook> Looks => looks;

    /// <summary>What a look must compute.</summary>
    internal IEnumerable<Value> Seen => [reading.Weights, reading.Query, reading.Key, Layer.Inputs[0], Layer.Output];

    internal void Add(ForwardProbe probe)
    {
        AttentionLook look = new(Entropy(probe), LargestLogit(probe), Difference(probe, Layer.Inputs[0]), Difference(probe, Layer.Output));
        if (double.IsFinite(look.LargestLogit) && double.IsFinite(look.InputDifference) && double.IsFinite(look.OutputDifference))
        {
            looks.Add(look);
        }
    }

    internal double[] Capture() => [.. looks.SelectMany(look => new[] { look.Entropy, look.LargestLogit, look.InputDifference, look.OutputDifference })];

    internal bool Restore(double[] state)
    {
        looks.Clear();
        for (int i = 0; i + 3 < state.Length; i += 4)
        {
            looks.Add(new AttentionLook(state[i], state[i + 1], state[i + 2], state[i + 3]));
        }
        return state.Length % 4 == 0;
    }

    /// <summary>Mean over rows of −Σ a ln a / ln n, n the places with a weight above 0; rows of one place say nothing.</summary>
    private double Entropy(ForwardProbe probe)
    {
        ReadOnlySpan<float> weights = probe[reading.Weights];
        int keys = reading.Weights.Shape[^1].Size, rows = 0;
        double sum = 0;
        for (int start = 0; start < weights.Length; start += keys)
        {
            ReadOnlySpan<float> row = weights.Slice(start, keys);
            double entropy = 0;
            int places = 0;
            foreach (float weight in row)
            {
                entropy -= weight > 0 ? weight * Math.Log(weight) : 0;
                places += weight > 0 || !reading.Masks ? 1 : 0;
            }
            if (places > 1)
            {
                rows++;
                sum += Math.Max(0, entropy) / Math.Log(places);
            }
        }
        return rows == 0 ? double.NaN : sum / rows;
    }

    private double LargestLogit(ForwardProbe probe)
    {
        ReadOnlySpan<float> weights = probe[reading.Weights], query = probe[reading.Query], key = probe[reading.Key];
        int[] extents = probe.Extents(reading.Weights);
        (int queries, int keys) = (extents[^2], extents[^1]);
        int samples = extents.Length > 2 ? extents[0] : 1, heads = Math.Max(1, weights.Length / Math.Max(1, samples * queries * keys));
        (int queryStride, int keyStride) = (reading.Query.Shape[^1].Size, reading.Key.Shape[^1].Size);
        samples = (int)Math.Clamp(MostWork / Math.Max(1, (long)heads * queries * keys * reading.Width), 1, samples);
        double largest = 0;
        for (int pair = 0; pair < samples * heads * queries * keys; pair++)
        {
            if (reading.Masks && weights[pair] == 0)
            {
                continue;
            }
            (int row, int column) = (pair / keys, pair % keys);
            (int matrix, int position) = (row / queries, row % queries);
            (int sample, int head) = (matrix / heads, matrix % heads);
            int q = reading.HeadsApart ? (matrix * queries + position) * queryStride : (sample * queries + position) * queryStride + head * reading.Width;
            int k = reading.HeadsApart ? (matrix * keys + column) * keyStride : (sample * keys + column) * keyStride + reading.KeyColumn + head * reading.Width;
            float logit = Math.Abs(TensorPrimitives.Dot(query.Slice(q, reading.Width), key.Slice(k, reading.Width)));
            largest = logit > largest || float.IsNaN(logit) ? logit : largest;
        }
        return largest / Math.Sqrt(reading.Width);
    }

    /// <summary>Mean over all stretches (T, units) of a value; 1 for one that has no tokens.</summary>
    private static double Difference(ForwardProbe probe, Value value)
    {
        ReadOnlySpan<float> values = probe[value];
        int[] extents = probe.Extents(value);
        if (extents.Length < 3 || extents[^2] < 2)
        {
            return 1;
        }
        (int tokens, int units) = (extents[^2], extents[^1]);
        float[] mean = new float[units];
        double sum = 0;
        int count = 0;
        for (int start = 0; start < values.Length; start += tokens * units, count++)
        {
            ReadOnlySpan<float> x = values.Slice(start, tokens * units);
            Array.Clear(mean);
            for (int token = 0; token < tokens; token++)
            {
                TensorPrimitives.MultiplyAdd(x.Slice(token * units, units), 1f / tokens, mean, mean);
            }
            double apart = 0, norm = TensorPrimitives.Norm(x);
            for (int token = 0; token < tokens; token++)
            {
                double distance = TensorPrimitives.Distance(x.Slice(token * units, units), mean);
                apart += distance * distance;
            }
            sum += norm > 0 ? Math.Sqrt(apart) / norm : 0;
        }
        return sum / Math.Max(1, count);
    }
}
