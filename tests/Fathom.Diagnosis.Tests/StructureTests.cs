using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests;

/// <summary>Diagnosis and remedies on networks of gates, learnt residual scales and shared parameters.</summary>
public sealed class StructureTests
{
    private static readonly Finding Vanishing = new()
    {
        Rule = "FTH001", Problem = "", Severity = Severity.Error, Cause = Causes.Vanishing, Layers = [], Step = 0, Confidence = 1,
        Evidence = System.Collections.Immutable.ImmutableSortedDictionary<string, Evidence>.Empty, Explanation = "",
    };

    /// <summary>A scale of 0 that learns holds the branch's gradient back for the first step alone.</summary>
    [Fact]
    public void ABranchThatStartsAtZeroIsNoVanishingGradient()
    {
        NetworkCursor start = Network.Input(64).Dense(32);
        Assert.Null(Of(start.Repeat(8, block => block.Residual(branch => branch.Dense(32, VarianceScaling.HeNormal).Relu(), ResidualScale.Rezero)).Dense(10)));
        start = Network.Input(64).Dense(32);
        Assert.Null(Of(start.Repeat(8, block => block.Residual(branch => branch.Dense(32).Relu().Dense(32, ConstantInitializer.Zeros))).Dense(10, ConstantInitializer.Zeros)));
    }

    [Fact]
    public void WeightsThatAreAllZeroStillAre()
    {
        NetworkCursor start = Network.Input(64);
        Assert.Equal(Causes.BadInitialization, Of(start.Repeat(4, block => block.Dense(32, ConstantInitializer.Zeros).Sigmoid()).Dense(10, ConstantInitializer.Zeros))?.Cause);
        start = Network.Input(64).Dense(32);
        Assert.Equal(Causes.BadInitialization, Of(start.Repeat(4, block => block.Dense(32, ConstantInitializer.Zeros).Relu()).Dense(10))?.Cause);
        // A scale that is frozen at 0 never lets anything through.
        start = Network.Input(64).Dense(32).Relu();
        Value scaled = start.Builder.Layer(new Scale(0), null, [start.Dense(32).Relu().Value], frozen: _ => true);
        Value sum = start.Builder.Layer(new Add(), null, [scaled, start.Value]);
        Assert.Equal(["dense_2"], Forecast.Of(SignalPropagation.Predict(start.Builder.Build(start.Builder.Layer(new Dense(10), null, [sum])), DataMoments.Standardized))?.Layers);
    }

    [Fact]
    public void GatesStayGates()
    {
        ModelDefinition model = SickNetworks.Vanishing() with { Graph = Network.Input(64).Dense(16).Repeat(4, block => block.Highway(new Sigmoid())).Dense(10).Build() };
        foreach (Prescription prescription in RemedyCatalog.All.SelectMany(remedy => remedy.Propose(model, [Vanishing])))
        {
            Graph mended = prescription.Rewrite(model).Graph;
            Assert.IsType<Sigmoid>(mended["highway_2.gate.sigmoid"].Op);
            Assert.Equal("highway_2.gate", mended["highway_2.gate.sigmoid"].Inputs[0].Name);
            Assert.Equal(-2, ((Parameter)mended["highway_2.gate.bias"].Op).Initializer.Mean); // as open as it was
        }
        Assert.Contains(RemedyCatalog.All, remedy => remedy.Propose(model, [Vanishing]).Any());
        Assert.Empty(new ResidualConnections().Propose(model, [Vanishing]));
    }

    /// <summary>Batch normalization of (N, T, units) is over samples and steps, for each unit, not for each step.</summary>
    [Fact]
    public void UnitsAreNormalizedInSequencesToo()
    {
        ModelDefinition model = SickNetworks.Vanishing() with { Graph = Network.Input(6, 8).Dense(16, name: "d").Sigmoid().Flatten().Dense(10).Build() };
        Prescription[] prescriptions = [.. new BatchNormalization().Propose(model, [Vanishing])];
        Assert.Equal(2, prescriptions.Length); // before the activation, and behind it
        Assert.Equal(Shape.Of(16), prescriptions[0].Rewrite(model).Graph["d_norm.running_mean"].Outputs[0].Shape);
        Assert.Equal(Shape.Of(16), prescriptions[1].Rewrite(model).Graph["batch_norm_1.running_mean"].Outputs[0].Shape);
    }

    [Fact]
    public void RemediesKeepSharedParametersShared()
    {
        Dictionary<string, string> tied = new() { ["weight"] = "w", ["bias"] = "b" };
        ModelDefinition model = SickNetworks.Vanishing(epochs: 1) with
        {
            Graph = Network.Input(64).Dense(16).Repeat(6, block => block.Then(new Dense(16), null, null, tied).Sigmoid()).Dense(10).Build(),
        };
        int tried = 0;
        foreach (Prescription prescription in RemedyCatalog.All.SelectMany(remedy => remedy.Propose(model, [Vanishing])))
        {
            ModelDefinition mended = prescription.Rewrite(model);
            Node[] tiedLayers = [.. Enumerable.Range(2, 6).Select(number => mended.Graph.Find($"dense_{number}")).OfType<Node>()];
            Assert.All(tiedLayers, layer => Assert.Same(mended.Graph["w"], layer.Inputs[1].Node));
            Assert.True(tiedLayers.Length == 6 || prescription.Remedy is FewerLayers, prescription.Name);
            Assert.True(SickNetworks.Run(mended).Steps > 0, prescription.Name);
            tried++;
        }
        Assert.InRange(tried, 5, 50);
    }

    /// <summary>What reads the last state alone, as every Keras model does that returns no sequences, reads the layer.</summary>
    [Fact]
    public void ALayerWhoseLastStateIsReadHasAGradient()
    {
        NetworkCursor lstm = Network.Input(8, 8).Lstm(12, name: "l");
        Graph graph = lstm.Builder.Build(lstm.Builder.Layer(new Dense(10), "d", [new Value(lstm.Value.Node, 1)]));
        Assert.Null(Forecast.Of(SignalPropagation.Predict(graph, DataMoments.Standardized)));
        RunOutcome outcome = SickNetworks.Run(SickNetworks.Vanishing(epochs: 1) with { Graph = graph });
        Assert.Equal(["l", "d"], outcome.Gradients.Select(gradient => gradient.Layer));
        Assert.All(outcome.Gradients, gradient => Assert.InRange(gradient.LogGradient, -6, 3));
        Assert.InRange(outcome.Gradients[0].LogExpected, -2, 2);
    }

    private static Finding? Of(NetworkCursor network) => Forecast.Of(SignalPropagation.Predict(network.Build(), DataMoments.Standardized));
}
