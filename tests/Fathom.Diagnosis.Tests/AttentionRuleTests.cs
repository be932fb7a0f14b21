using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>Entropy, logits and tokens of attention.</summary>
public sealed class AttentionRuleTests
{
    [Fact]
    public void StepsThatAreTooLongCollapseTheEntropyAndBlowUpTheLogits()
    {
        RecurrentRuleTests.Outcome run = RecurrentRuleTests.Run(Model(Transformer(2), new Adam(0.3, 0.1, 0.1)), SickNetworks.Digits);
        Finding entropy = Assert.Single(run.EverFound, finding => finding.Rule == "FTH044");
        Finding logits = Assert.Single(run.EverFound, finding => finding.Rule == "FTH045");

        Assert.All([entropy, logits], finding => Assert.Equal(Causes.LearningRateTooLarge, finding.Cause));
        Assert.Contains("transformer_block_1.self_attn", entropy.Layers);
        Assert.InRange(entropy.Step, 0, 0.1 * run.Steps);
        Assert.True(entropy.Evidence["relative_entropy"].Measured < 0.02);
        Assert.True(logits.Evidence["largest_logit"].Measured > 100);
    }

    [Fact]
    public void QueriesAndKeysThatBeginTooLargeAreABadInitialisation()
    {
        RecurrentRuleTests.Outcome run = RecurrentRuleTests.Run(LargeQueries, SickNetworks.Digits);

        Assert.Equal(Causes.BadInitialization, Assert.Single(run.EverFound, finding => finding.Rule == "FTH045").Cause);
    }

    [Fact]
    public void WithoutSkipConnectionsTokensBecomeTheSame()
    {
        RecurrentRuleTests.Outcome run = RecurrentRuleTests.Run(Model(WithoutSkips, new Adam(0.002), epochs: 2), SickNetworks.Digits);
        Finding finding = Assert.Single(run.EverFound, finding => finding.Rule == "FTH046");

        Assert.Contains("multi_head_attention_6", finding.Layers);
        Assert.DoesNotContain("multi_head_attention_1", finding.Layers);
        Assert.InRange(finding.Evidence["token_difference"].Measured, 0, 1e-3);
        Assert.InRange(finding.Step, 0, 0.1 * run.Steps);
    }

    [Theory]
    [InlineData("blocks")]
    [InlineData("attention with skip connections")]
    [InlineData("causal")]
    public void HealthyAttentionRaisesNoAlarm(string kind)
    {
        Graph network = kind switch
        {
            "blocks" => Transformer(2),
            "causal" => Network.Input(8, 8).Dense(32).PositionalEmbedding(8).Repeat(2, net => net.Add(net.LayerNorm().MultiHeadAttention(4, causal: true))).Mean([1]).Dense(10).Build(),
            _ => Network.Input(8, 8).Dense(32).PositionalEmbedding(8).Repeat(6, net => net.Add(net.LayerNorm().MultiHeadAttention(4))).Mean([1]).Dense(10).Build(),
        };
        RecurrentRuleTests.Outcome run = RecurrentRuleTests.Run(Model(network, new Adam(0.002)), SickNetworks.Digits);

        Assert.True(run.Metric > 0.85, $"{kind} reached {run.Metric}");
        Assert.DoesNotContain(run.EverFound, finding => finding.Rule is "FTH044" or "FTH045" or "FTH046");
    }

    [Theory]
    [InlineData(false, QueryKeyNorm.None)]
    [InlineData(true, QueryKeyNorm.None)]
    [InlineData(false, QueryKeyNorm.Rms)]
    [InlineData(true, QueryKeyNorm.Layer)]
    public void LogitsAreThoseOfTheSoftmax(bool causal, QueryKeyNorm norm)
    {
        // Two places, so that each row's logits differ by ln of its weights' ratio; weights large enough for a wide range.
        Dictionary<string, Initializer> weights = new() { ["in_proj_weight"] = new NormalInitializer(0, 0.7) };
        Graph network = Network.Input(8, 8).Then(new MultiHeadAttention(2, Causal: causal, QkNorm: norm), null, weights, []).Mean([1]).Dense(10).Build();
        using WatchedRun run = new(Model(network, new Sgd(1e-6)), SickNetworks.Digits);
        run.Advance(until: 1);
        AttentionTrace trace = Assert.Single(run.Monitor.Observation.Interior.Attention);
        double widest = WidestRange(run, trace, causal);

        // The largest difference within a row lies between the largest logit and twice of it, unless all logits agree.
        Assert.InRange(widest, 0.2 * trace.Looks[0].LargestLogit, 2 * trace.Looks[0].LargestLogit * 1.0001);
        Assert.InRange(trace.Looks[0].Entropy, 0.05, 0.999);
    }

    [Fact]
    public void QueriesOfZeroGiveUniformRows()
    {
        Dictionary<string, Initializer> weights = new() { ["in_proj_weight"] = ConstantInitializer.Zeros };
        Graph network = Network.Input(8, 8).Then(new MultiHeadAttention(2), null, weights, []).Mean([1]).Dense(10).Build();
        using WatchedRun run = new(Model(network, new Sgd(1e-6)), SickNetworks.Digits);
        run.Advance(until: 1);
        AttentionLook look = run.Monitor.Observation.Interior.Attention.Single().Looks[0];

        Assert.Equal(1, look.Entropy, 1e-6);
        Assert.InRange(look.LargestLogit, 0, 1e-6);
        Assert.InRange(look.InputDifference, 0.3, 1);
    }

    [Fact]
    public void ARestoredMonitorKnowsItsAttention()
    {
        ModelDefinition model = Model(Transformer(1), new Adam(0.002), epochs: 1);
        using WatchedRun whole = new(model, SickNetworks.Digits);
        whole.Advance(until: 12);
        using WatchedRun rest = new(model, SickNetworks.Digits);
        rest.Session.Restore(whole.Session.Capture());
        rest.Monitor.Restore(whole.Monitor.Capture());

        Assert.Equal(2, rest.Monitor.Observation.Interior.Attention.Single().Looks.Count);
        Assert.Equal(whole.Monitor.Capture(), rest.Monitor.Capture());
    }

    internal static Graph WithoutSkips => Network.Input(8, 8).Dense(32).PositionalEmbedding(8).Repeat(6, net => net.MultiHeadAttention(4)).Mean([1]).Dense(10).Build();

    internal static ModelDefinition LargeQueries
    {
        get
        {
            Dictionary<string, Initializer> large = new() { ["in_proj_weight"] = new NormalInitializer(0, 8) };
            NetworkCursor start = Network.Input(8, 8).Dense(32).PositionalEmbedding(8);
            return Model(start.Add(start.LayerNorm().Then(new MultiHeadAttention(4), null, large, [])).Mean([1]).Dense(10).Build(), new Adam(0.001));
        }
    }

    internal static Graph Transformer(int blocks) =>
        Network.Input(8, 8).Dense(32).PositionalEmbedding(8).Repeat(blocks, net => net.TransformerBlock(4, 64)).LayerNorm().Mean([1]).Dense(10).Build();

    internal static ModelDefinition Model(Graph network, Optimizer optimizer, int epochs = 10) =>
        new("attention", network, new TrainingPlan { Loss = new CrossEntropy(), Optimizer = optimizer, BatchSize = 32, Epochs = epochs });

    /// <summary>The largest ln of a ratio of two weights of one row, from the softmax itself.</summary>
    private static double WidestRange(WatchedRun run, AttentionTrace trace, bool causal)
    {
        Value weights = new(trace.Layer, 1);
        ForwardProbe probe = run.Session.CreateForwardProbe(32, [weights]);
        probe.Run();
        ReadOnlySpan<float> values = probe[weights];
        double widest = 0;
        for (int row = 0; row < values.Length / 8; row++)
        {
            float[] seen = [.. values.Slice(row * 8, 8).ToArray().Where(weight => weight > 0)];
            widest = Math.Max(widest, Math.Log(seen.Max() / seen.Min()));
            Assert.Equal(causal ? row % 8 + 1 : 8, seen.Length);
        }
        return widest;
    }
}
