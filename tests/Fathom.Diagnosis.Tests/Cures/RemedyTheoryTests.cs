using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Tests.CureNetworks;

namespace Fathom.Diagnosis.Tests;

/// <summary>What theory expects of the gradient over depth after a remedy: the reason why it is offered.</summary>
public sealed class RemedyTheoryTests
{
    private static readonly ModelDefinition Sigmoid = SickNetworks.Vanishing();
    private static readonly ModelDefinition Tanh = Chain(20, net => net.Tanh(), new VarianceScaling(0.3, FanMode.In, WeightDistribution.Normal));
    private static readonly ModelDefinition SmallRelu = Chain(10, net => net.Relu(), new VarianceScaling(0.2, FanMode.In, WeightDistribution.Normal));
    private static readonly ModelDefinition Branched = Digits(Branches(16, VarianceScaling.HeNormal));

    /// <summary>
    /// Remedy, variant, network, and between which decades first over last layer's gradient must lie afterwards; for
    /// normalizations that of the second over the last hidden layer, since both ends read something of another size.
    /// </summary>
    private static (string Name, Remedy Remedy, string Variant, ModelDefinition Sick, double Least, double Most)[] All { get; } =
    [
        ("selu", new ActivationSwap(), "selu", Sigmoid, -0.5, 0.8), // χ₁ = 1.0716: 14·log10(√1.0716) = 0.21
        ("matched", new MatchedInitialization(), "matched", SmallRelu, -0.3, 0.3),
        ("orthogonal", new OrthogonalInitialization(), "orthogonal", SmallRelu, -0.3, 0.3),
        ("critical", new CriticalStart(), "critical initialization", Tanh, -0.2, 0.2),
        ("critical, orthogonal", new CriticalStart(), "orthogonal", Tanh, -0.2, 0.2),
        ("layer norm", new LayerNormalization(), "before", SmallRelu, -0.3, 0.3), // E[φ'²]/E[φ²] = 1
        ("batch norm", new BatchNormalization(), "before", SmallRelu, 0.6, 0.85), // 8·log10(√1.522) = 0.73 at a batch of 32 (Yang et al. 2019)
        ("ReZero around layers", new ResidualConnections(), "ReZero", Tanh, -0.1, 0.1),
        ("ReZero on branches", new BranchScaling(), "ReZero", Branched, -0.2, 0.2),
        ("SkipInit", new BranchScaling(), "SkipInit", Branched, -0.1, 0.6), // (1 + 2/16)^16 of the mean square, 2 being the gain of a branch: 0.41 decades in the norm
        ("highway", new HighwayGates(), "highway", Tanh, -1.5, 0.2), // 0.88 a layer: 19·log10(0.88) = −1.05
    ];

    public static TheoryData<string> Cases => [.. All.Select(item => item.Name)];

    [Xunit.Theory]
    [MemberData(nameof(Cases))]
    public void TheGradientOverDepthBecomesWhatTheoryPromises(string name)
    {
        (_, Remedy remedy, string variant, ModelDefinition sick, double least, double most) = All.First(item => item.Name == name);
        CaseHistory history = new([Cure.FindingOf(Causes.Vanishing), Cure.FindingOf(Causes.Exploding)]) { Data = SickNetworks.Digits.Training };
        ModelDefinition mended = remedy.Propose(sick, history).First(item => item.Name.Contains(variant, StringComparison.Ordinal)).Rewrite(sick);
        bool inner = remedy.Kind.EndsWith("_norm", StringComparison.Ordinal);
        double before = Decades(sick, inner), after = Decades(mended, inner);
        Assert.InRange(after, least, most);
        Assert.True(Math.Abs(before) > Math.Abs(after) + 0.5, FormattableString.Invariant($"{before:0.##} decades before, {after:0.##} after"));
    }

    [Fact]
    public void HalfTheLayersLoseHalfTheDecades()
    {
        ModelDefinition mended = new FewerLayers().Propose(Sigmoid, [Cure.FindingOf(Causes.Vanishing)]).First().Rewrite(Sigmoid);
        Assert.Equal(8, mended.Graph.Nodes.Count(node => node.Op is Fathom.Graphs.Ops.Sigmoid));
        Assert.InRange(Decades(mended) / Decades(Sigmoid), 0.4, 0.6);
    }

    [Fact]
    public void PreNormLosesLessThanPostNorm()
    {
        ModelDefinition post = Encoder(8);
        ModelDefinition mended = new NormBeforeBranch().Propose(post, [Cure.FindingOf(Causes.Vanishing)]).Single().Rewrite(post);
        Assert.Equal(post.Graph.Nodes.Count(node => node.Op is LayerNorm) + 1, mended.Graph.Nodes.Count(node => node.Op is LayerNorm));
        // The last normalization stays behind the last sum, which the next reader of the blocks reads.
        Assert.IsType<LayerNorm>(mended.Graph["mean_1"].Inputs[0].Node.Op);
        Assert.IsType<Add>(mended.Graph["mean_1"].Inputs[0].Node.Inputs[0].Node.Op);
        Assert.Equal("block_3.norm1", mended.Graph["block_3.self_attn"].Inputs[0].Name);
        DataSet rows = Sequences(SickNetworks.Digits).Training;
        Assert.True(Math.Abs(WatchedRun.Predict(mended, rows).Depth.TotalDecades) < Math.Abs(WatchedRun.Predict(post, rows).Depth.TotalDecades));
    }

    private static double Decades(ModelDefinition model, bool inner = false)
    {
        DepthProfile depth = WatchedRun.Predict(model, SickNetworks.Digits.Training).Depth;
        return inner ? depth.Layers[1].Log10GradientNorm - depth.Layers[^2].Log10GradientNorm : depth.TotalDecades;
    }
}
