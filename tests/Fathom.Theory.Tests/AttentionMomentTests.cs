using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>Attention at initialization: even attention in closed form, overlaps against limits, rank collapse.</summary>
public sealed class AttentionMomentTests
{
    /// <summary>With tiny scores each query sees the mean: m = (1 + (T − 1)ρ)/T, and all queries the same one.</summary>
    [Xunit.Theory]
    [InlineData(0.0)]
    [InlineData(0.6)]
    public void Even_attention_is_a_mean(double rho)
    {
        const int tokens = 8, width = 32;
        Dictionary<string, Initializer> weights = new() { ["q_proj_weight"] = new NormalInitializer(0, 1e-4) };
        MultiHeadAttention op = new(4, KeyUnits: width, Bias: false);
        Graph graph = Network.Input(tokens, width).Then(op, "a", new Dictionary<string, Initializer> { ["in_proj_weight"] = new NormalInitializer(0, 1e-3), ["out_proj.weight"] = VarianceScaling.LeCunNormal }).Build();
        DataMoments data = DataMoments.Standardized with { Positions = PositionMoments.Flat(graph.Inputs.First().Outputs[0].Shape, [1], rho, 0) };
        PropagationPrediction prediction = SignalPropagation.Predict(graph, data);
        double value = width * 1e-6, mean = (1 + (tokens - 1) * rho) / tokens;
        Assert.Equal(1, prediction["a"].Output.SecondMoment / (value * mean), 1e-6);
        Assert.Equal(1, prediction["a"].Output.Positions!.Correlation, 1e-6);
        Assert.Single(weights);
    }

    [Fact]
    public void Overlaps_have_their_limits()
    {
        AttentionOverlaps overlaps = new();
        Assert.Equal(1.0 / 16, overlaps.Of(16, 0, 1).Weights, 1e-12);
        // For many keys Σ a² → e^τ²/S, and for rows of correlation ρ e^(ρτ²)/S.
        Assert.Equal(1, overlaps.Of(4096, 0.25, 1).Weights * 4096 / Math.Exp(0.25), 0.02);
        Assert.Equal(1, overlaps.Of(4096, 0.25, 0.4).Weights * 4096 / Math.Exp(0.1), 0.02);
        // Huge scores see one key: then no gradient reaches them.
        AttentionOverlap hard = overlaps.Of(16, 1e6, 1);
        Assert.Equal(1, hard.Weights, 1e-2);
        Assert.Equal(0, hard.Scores, 1e-2);
        Assert.Equal(new AttentionOverlap(1, 0), overlaps.Of(1, 2, 1));
    }

    /// <summary>
    /// Without a residual connection tokens become alike with depth and the gradient of queries and keys dies out, with one
    /// they do so slowly. Noci et al. (2022).
    /// </summary>
    [Fact]
    public void Tokens_collapse_without_a_residual_connection()
    {
        double[] plain = Likeness(network => network.MultiHeadAttention(4)), residual = Likeness(network => network.MultiHeadAttention(4).Add(network));
        Assert.True(plain[1] > 0.99, $"{plain[1]}");
        Assert.InRange(residual[1], 0.05, 0.9);

        static double[] Likeness(Func<NetworkCursor, NetworkCursor> layer)
        {
            List<Value> values = [];
            NetworkCursor network = Network.Input(16, 64);
            for (int l = 0; l < 3; l++)
            {
                network = layer(network);
                values.Add(network.Value);
            }
            PropagationPrediction prediction = SignalPropagation.Predict(network.Build(), DataMoments.Standardized);
            return [.. values.Select(value => prediction.Forward(value).Positions!.Correlation)];
        }
    }
}
