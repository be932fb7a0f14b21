using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests;

public sealed class RemedyTests
{
    private static readonly Finding Vanishing = new()
    {
        Rule = "FTH001", Problem = "", Severity = Severity.Error, Cause = Causes.Vanishing, Layers = [], Step = 0, Confidence = 1,
        Evidence = System.Collections.Immutable.ImmutableSortedDictionary<string, Evidence>.Empty, Explanation = "",
    };

    [Fact]
    public void ActivationsAreSwappedAndRenamed()
    {
        ModelDefinition mended = Apply(new ActivationSwap(), SickNetworks.Vanishing(), "relu");
        Assert.DoesNotContain(mended.Graph.Nodes, node => node.Op is Sigmoid);
        Assert.Equal("relu_7", mended.Graph["dense_8"].Inputs[0].Name);
    }

    [Fact]
    public void TheOutputIsLeftAlone()
    {
        ModelDefinition model = SickNetworks.Vanishing() with { Graph = Network.Input(64).Dense(8).Sigmoid().Dense(8).Sigmoid().Dense(10).Sigmoid("probability").Build() };
        ModelDefinition mended = Apply(new ActivationSwap(), model, "relu");
        Assert.IsType<Sigmoid>(mended.Graph["probability"].Op);
        Assert.Equal(2, mended.Graph.Nodes.Count(node => node.Op is Relu));
    }

    [Fact]
    public void BatchNormComesBetweenLayerAndActivation()
    {
        ModelDefinition mended = Apply(new BatchNormalization(), SickNetworks.Vanishing(), "batch norm");
        Assert.Equal("batch_norm_3", mended.Graph["sigmoid_3"].Inputs[0].Name);
        Assert.Equal("dense_3", mended.Graph["batch_norm_3"].Inputs[0].Name);
        Assert.Null(mended.Graph.Find("batch_norm_16")); // the output layer
    }

    [Fact]
    public void ResidualConnectionsSkipOnlyBlocksOfEqualShape()
    {
        ModelDefinition mended = Apply(new ResidualConnections(), SickNetworks.Vanishing(), "residual");
        Assert.Equal(["sigmoid_1", "sigmoid_2"], mended.Graph["add_1"].Inputs.Select(input => input.Name));
        Assert.Equal(14, mended.Graph.Nodes.Count(node => node.Op is Add)); // not around sigmoid_1: 64 → 32
    }

    [Fact]
    public void ConvolutionsAreMendedAsDenseLayersAre()
    {
        Graph graph = Network.Input(8, 8, 2).Conv2d(6, 3, padding: Padding.Same, channelsLast: true, name: "c1").Relu("r1")
            .Conv2d(6, 3, padding: Padding.Same, channelsLast: true, name: "c2").Relu("r2")
            .Conv2d(6, 3, padding: Padding.Same, channelsLast: true, name: "c3").Relu("r3").Conv2d(3, 3, 2, channelsLast: true, name: "c4").Tanh("t4")
            .GlobalAvgPool(channelsLast: true).Dense(10, name: "out").Build();
        ModelDefinition model = SickNetworks.Vanishing() with { Graph = graph };

        Graph initialized = Apply(new MatchedInitialization(), model, "initialization").Graph;
        Assert.Equal([VarianceScaling.HeNormal, VarianceScaling.HeNormal, VarianceScaling.HeNormal, VarianceScaling.XavierNormal, VarianceScaling.XavierNormal], Weights(initialized));
        Assert.Equal(["delta_orthogonal", "delta_orthogonal", "delta_orthogonal", "orthogonal", "orthogonal"], Weights(Apply(new OrthogonalInitialization(), model, "orthogonal").Graph).Select(item => item.Kind));
        Graph normalized = Apply(new BatchNormalization(), model, "batch norm").Graph;
        Assert.Equal(["c1_norm", "c2_norm", "c3_norm", "c4_norm"], normalized.Nodes.Where(node => node.Op is BatchNorm { ChannelsLast: true }).Select(node => node.Name));
        Assert.Equal(["r2_skip", "r3_skip"], Apply(new ResidualConnections(), model, "residual").Graph.Nodes.Where(node => node.Op is Add).Select(node => node.Name));

        static IEnumerable<Initializer> Weights(Graph graph) =>
            graph.Parameters.Where(node => node.Name.EndsWith("weight", StringComparison.Ordinal)).Select(node => ((Parameter)node.Op).Initializer);
    }

    [Fact]
    public void InitializationFollowsTheActivation()
    {
        ModelDefinition relu = Apply(new ActivationSwap(), SickNetworks.Vanishing(), "relu");
        ModelDefinition mended = Apply(new MatchedInitialization(), relu, "initialization");
        Assert.Equal(VarianceScaling.HeNormal, ((Parameter)mended.Graph["dense_3.weight"].Op).Initializer);
        Assert.Equal(VarianceScaling.XavierNormal, ((Parameter)mended.Graph["dense_16.weight"].Op).Initializer);
        Assert.Empty(new MatchedInitialization().Propose(mended, [Vanishing]));
    }

    [Fact]
    public void EveryRewriteKeepsTheOriginalAndGivesAGraphThatTrains()
    {
        ModelDefinition model = SickNetworks.Vanishing(epochs: 1);
        string before = model.Graph.ToString();
        foreach (Prescription prescription in RemedyCatalog.All.SelectMany(remedy => remedy.Propose(model, [Vanishing])))
        {
            RunOutcome outcome = SickNetworks.Run(prescription.Rewrite(model));
            Assert.True(outcome.Steps > 0, prescription.Name);
        }
        Assert.Equal(before, model.Graph.ToString());
    }

    [Fact]
    public void EveryRemedyIsDocumentedWithItsSafety()
    {
        string page = File.ReadAllText(Path.Combine(Fathom.Testing.RepositoryFiles.Root, "docs", "remedies.md"));
        foreach (Remedy remedy in RemedyCatalog.All)
        {
            Assert.Contains($"| `{remedy.Kind}` | {(int)remedy.Safety + 1} |", page);
        }
    }

    private static ModelDefinition Apply(Remedy remedy, ModelDefinition model, string variant) =>
        remedy.Propose(model, [Vanishing]).First(prescription => prescription.Name.Contains(variant, StringComparison.Ordinal)).Rewrite(model);
}
