using System.Collections.Immutable;
using Fathom.Diagnosis.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Audit;

/// <summary>What the audit says of hidden layers: activations that are missing, dropout, biases.</summary>
public sealed class HiddenLayerAuditTests
{
    internal static readonly DataSplit CirclesData = DataSource.Open("circles?samples=400&noise=0.08", new DataOptions { Seed = 1 });

    internal static ModelDefinition Circles(Func<NetworkCursor, NetworkCursor> function) => Plan(function(function(Network.Input(2).Dense(8, VarianceScaling.HeNormal)).Dense(8, VarianceScaling.HeNormal)).Dense(2).Build(), 20);

    internal static ModelDefinition Dropping(double rate) => Plan(Network.Input(64).Dense(32, VarianceScaling.HeNormal).Relu().Dropout(rate).Dense(32, VarianceScaling.HeNormal).Relu().Dropout(rate).Dense(10).Build(), 8);

    internal static ModelDefinition DroppingAnswers(double rate)
    {
        NetworkCursor net = Network.Input(64).Dense(32, VarianceScaling.HeNormal).Relu().Dense(10);
        return Plan((rate > 0 ? net.Dropout(rate) : net).Build(), 8);
    }

    private static ModelDefinition Plan(Graph graph, int epochs) => new("layers", graph, new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Adam(0.005), BatchSize = 32, Epochs = epochs });

    [Fact]
    public void LayersWithoutActivationAreAnErrorWhereTheDataAreNotLinear()
    {
        Finding finding = Of(Circles(net => net), CirclesData, "FTH023")!;
        Assert.Equal(Severity.Error, finding.Severity);
        Assert.Equal(["dense_1", "dense_2"], finding.Layers.AsEnumerable());
        Assert.InRange(finding.Evidence["linear_skill"].Measured, -0.1, 0.45); // a line through rings
        Assert.InRange(finding.Evidence["linear_skill"].Expected, 0.8, 1);
        Assert.Null(Of(Circles(net => net.Tanh()), CirclesData, "FTH023"));
    }

    /// <summary>Nothing is lost on data that a line tells apart.</summary>
    [Fact]
    public void OnLinearDataTheyAreAWord()
    {
        DataSplit blobs = DataSource.Open("blobs?samples=400&classes=3&features=4&noise=1", new DataOptions { Seed = 1 });
        ModelDefinition linear = Plan(Network.Input(4).Dense(8).Dense(3).Build(), 5);
        Assert.Equal(Severity.Info, Of(linear, blobs, "FTH023")!.Severity);
    }

    [Theory]
    [InlineData(0.5, 1)] // y = x₁ + x₂
    [InlineData(2, 0)] // y = (x₁ + x₂)², of which a line knows nothing
    public void TheBestLineIsFoundForNumbers(double power, double skill)
    {
        Random random = new(3);
        float[] inputs = [.. Enumerable.Range(0, 800).Select(_ => (float)(random.NextDouble() * 2 - 1))];
        float[] targets = [.. Enumerable.Range(0, 400).Select(i => inputs[2 * i] + inputs[2 * i + 1]).Select(sum => power == 2 ? sum * sum : sum)];
        Assert.Equal(skill, Monitoring.LinearGuess.Skill(DataSet.OfTargets("n", [2], inputs, targets)), 0.05);
    }

    /// <summary>A single layer was meant to be linear; convolutions, residual sums and recurrence with functions are not.</summary>
    [Fact]
    public void OtherNetworksAreNotCalledLinear()
    {
        Assert.Null(Of(Plan(Network.Input(64).Dense(10).Build(), 5), SickNetworks.Digits, "FTH023"));
        Assert.Null(Of(Plan(Network.Input(1, 8, 8).Conv2d(4, 3).Relu().Flatten().Dense(8).Dense(10).Build(), 5), SickNetworks.Digits, "FTH023"));
        Assert.Null(Of(Plan(Network.Input(8, 8).Rnn(8).Last().Dense(8).Dense(10).Build(), 5), SickNetworks.Digits, "FTH023"));
    }

    [Fact]
    public void TrainingConfirmsThatALinearNetworkFails()
    {
        Finding lead = Trained(Circles(net => net), CirclesData)[0];
        Assert.Equal(("FTH023", Severity.Error), (lead.Rule, lead.Severity));
    }

    [Theory]
    [InlineData(0.95, true)]
    [InlineData(0.8, true)]
    [InlineData(0.5, false)]
    public void DropoutThatLeavesLittleIsAWarning(double rate, bool speaks)
    {
        Finding? finding = Of(Dropping(rate), SickNetworks.Digits, "FTH024");
        Assert.Equal(speaks, finding is not null);
        Assert.Equal(Severity.Warning, finding?.Severity ?? Severity.Warning);
        Assert.Equal(rate, finding?.Evidence["rate"].Measured ?? rate);
    }

    /// <summary>As a warning it is proven by what training shows; the network of the same shape with little dropout learns.</summary>
    [Fact]
    public void DropoutLeadsWhereTheNetworkDoesNotLearn()
    {
        Finding lead = Trained(Dropping(0.97), SickNetworks.Digits)[0];
        Assert.Equal(("FTH024", Severity.Error), (lead.Rule, lead.Severity));
        Assert.NotEmpty(lead.Consequences);
        Assert.DoesNotContain(Trained(Dropping(0.2), SickNetworks.Digits), finding => finding.Severity == Severity.Error);
    }

    [Theory]
    [InlineData(-8, true)]
    [InlineData(8, false)] // an open ReLU is linear, but passes its gradient on
    [InlineData(-0.1, false)]
    public void BiasesOfReluLayers(double bias, bool speaks) =>
        Assert.Equal(speaks, Of(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, bias: new ConstantInitializer(bias)), SickNetworks.Digits, "FTH025") is not null);

    [Theory]
    [InlineData(10, true)]
    [InlineData(-10, true)]
    [InlineData(1, false)]
    public void BiasesOfSigmoidLayers(double bias, bool speaks)
    {
        Finding? finding = Of(SickNetworks.Chain(2, net => net.Sigmoid(), VarianceScaling.XavierNormal, bias: new ConstantInitializer(bias)), SickNetworks.Digits, "FTH025");
        Assert.Equal(speaks, finding is not null);
        if (finding is not null)
        {
            Assert.Equal((Causes.BadInitialization, Severity.Warning), (finding.Cause, finding.Severity));
            Assert.Equal(["dense_1", "dense_2"], finding.Layers.AsEnumerable());
        }
    }

    /// <summary>Dead units are what such biases bring about.</summary>
    [Fact]
    public void BiasesLeadTheDeadUnitsThatTheyMake()
    {
        Finding lead = Trained(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.01, bias: new ConstantInitializer(-8)), SickNetworks.Digits)[0];
        Assert.Equal(("FTH025", Severity.Error), (lead.Rule, lead.Severity));
        Assert.Contains(lead.Consequences, effect => effect.Cause == Causes.DeadRelu);
    }

    private static Finding? Of(ModelDefinition model, DataSplit data, string rule) =>
        DataAudit.Inspect(model, data, WatchedRun.Predict(model, data.Training)).FirstOrDefault(finding => finding.Rule == rule);

    private static ImmutableArray<Finding> Trained(ModelDefinition model, DataSplit data)
    {
        using WatchedRun run = new(model, data);
        run.Advance();
        return run.Findings;
    }
}
