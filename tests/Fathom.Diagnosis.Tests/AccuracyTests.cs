using System.Collections.Immutable;
using Fathom.Diagnosis.Causation;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Tests.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>What decides whether a network is called sick, and of what: how much is unlearnt, what steps have done, and which finding leads.</summary>
public sealed class AccuracyTests
{
    private static readonly DataSplit Moons = DataSource.Open("moons?samples=400&noise=0.15");

    private static ModelDefinition Small(Graph network, Loss loss, Optimizer optimizer, int epochs = 40) =>
        new("small", network, new TrainingPlan { Loss = loss, Optimizer = optimizer, BatchSize = 32, Epochs = epochs });

    private static NetworkCursor Body(double scale = 1) =>
        Network.Input(2).Dense(8, new VarianceScaling(2 * scale * scale, FanMode.In, WeightDistribution.Normal)).Relu().Dense(8, new VarianceScaling(2 * scale * scale, FanMode.In, WeightDistribution.Normal)).Relu();

    private static Finding[] Found(ModelDefinition model, DataSplit data)
    {
        using WatchedRun run = new(model, data);
        run.Advance();
        return [.. run.Findings];
    }

    [Fact]
    public void ALossThatNeverSendsAGradientIsAnErrorWithinThreePercent()
    {
        ModelDefinition sick = Small(Body().Dense(1).Softmax().Build(), new BinaryCrossEntropy(FromLogits: false), new Adam(0.01));
        Finding first = Found(sick, Moons)[0];
        Assert.Equal((Severity.Error, Causes.WrongOutputOrLoss), (first.Severity, first.Cause));
        using WatchedRun run = new(sick, Moons);
        Assert.InRange(first.Step, -1, 0.03 * run.Session.TotalSteps); // before training: the output is 1 whatever the weights
        Assert.DoesNotContain(Found(Small(Body().Dense(1).Sigmoid().Build(), new BinaryCrossEntropy(FromLogits: false), new Adam(0.01)), Moons), finding => finding.Severity == Severity.Error);
    }

    /// <summary>A softmax twice leaves 1.46 of ten classes' 2.30 however well it learns: what lies below does not count as unlearnt.</summary>
    [Fact]
    public void WhatTheOutputCannotReachIsNotUnlearnt()
    {
        Graph twice = Network.Input(64).Dense(10).Softmax().Build();
        Assert.Equal(Math.Log(1 + 9 / Math.E), LeastLoss.Of(twice, new CrossEntropy(), SickNetworks.Digits.Training), 1e-12);
        Assert.Equal(0, LeastLoss.Of(twice, new CrossEntropy(FromLogits: false), SickNetworks.Digits.Training));
        Assert.Equal(0, LeastLoss.Of(Network.Input(64).Dense(10).Build(), new CrossEntropy(), SickNetworks.Digits.Training));
        ModelDefinition learns = SickNetworks.HealthyRelu() with { Graph = Network.Input(64).Dense(32, VarianceScaling.HeNormal).Relu().Dense(10).Softmax().Build() };
        Assert.DoesNotContain(Found(learns with { Plan = learns.Plan with { Optimizer = new Adam(0.005), Epochs = 15 } }, SickNetworks.Digits), finding => finding.Severity == Severity.Error);
    }

    [Fact]
    public void TheTrendOfALossDoesNotFollowTheNoiseOfOneBatch()
    {
        LossHistory losses = new();
        for (int i = 0; i < 100; i++)
        {
            losses.Add(1 + (i % 2 == 0 ? 0.2 : -0.2));
        }
        Assert.InRange(losses.Trend, 0.95, 1.05);
        Assert.InRange(losses.Now, 0.95, 1.05);
        LossHistory falling = new();
        for (int i = 0; i < 100; i++)
        {
            falling.Add(Math.Pow(0.5, i / 50.0));
        }
        Assert.InRange(falling.Trend, 0.45, 0.6);
    }

    [Fact]
    public void TargetsOutOfReachAreAnErrorFromTheStart()
    {
        DataSplit data = Made.Values(x => 2 * x);
        Graph bounded = Network.Input(data.Training.Features).Dense(8, VarianceScaling.HeNormal).Relu().Dense(1).Sigmoid().Build();
        Finding first = Found(Small(bounded, new MeanSquaredError(), new Adam(0.01), epochs: 10), data)[0];
        Assert.Equal(("FTH012", Severity.Error, -1), (first.Rule, first.Severity, first.Step));
    }

    [Fact]
    public void RowsThatLieNearTellWhetherThereIsSomethingToLearn()
    {
        Assert.True(NeighbourGuess.Skill(Moons.Training) > 0.8);
        Assert.True(NeighbourGuess.Skill(SickNetworks.Digits.Training) > 0.8);
        Assert.True(NeighbourGuess.Skill(Made.Classes(rows: 300, features: 8, labels: i => i * 7919 % 31 % 3).Training) < 0.2);
    }

    /// <summary>A single layer cannot bend: no rule measures that, but the data could be learnt, and it does not learn them.</summary>
    [Fact]
    public void ANetworkThatCannotLearnWhatNeighboursTellIsAnError()
    {
        DataSplit circles = DataSource.Open("circles?samples=400&noise=0.08");
        Graph straight = Network.Input(2).Dense(1).Sigmoid().Build();
        Finding first = Found(Small(straight, new BinaryCrossEntropy(FromLogits: false), new Adam(0.005), epochs: 60), circles)[0];
        Assert.Equal(("FTH032", Severity.Error), (first.Rule, first.Severity));
        DataSplit noise = Made.Classes(rows: 600, features: 2, classes: 2, labels: i => i * 7919 % 31 % 2);
        Assert.DoesNotContain(Found(Small(straight, new BinaryCrossEntropy(FromLogits: false), new Adam(0.005), epochs: 60), noise), finding => finding.Severity == Severity.Error);
    }

    [Fact]
    public void WeightsThatGrowInSmallStepsAreNotBlownUp()
    {
        using WatchedRun blown = new(Small(Body().Dense(1).Sigmoid().Build(), new BinaryCrossEntropy(FromLogits: false), new Adam(3)), Moons);
        blown.Advance(200);
        Assert.Contains(blown.Monitor.Observation.Layers, layer => layer.IsBlown);
        Assert.Equal(Causes.LearningRateTooLarge, blown.Findings.First(finding => finding.Severity == Severity.Error).Cause);
        using WatchedRun grown = new(Small(Body(0.1).Dense(1).Sigmoid().Build(), new BinaryCrossEntropy(FromLogits: false), new Sgd(0.02, 0.9), epochs: 150), Moons);
        grown.Advance();
        Assert.Contains(grown.Monitor.Observation.Layers, layer => layer.LogGrowth > 0.5);
        Assert.DoesNotContain(grown.Findings, finding => finding.Severity == Severity.Error);
    }

    [Fact]
    public void PathsAroundANodeAreFound()
    {
        Graph network = Network.Input(4).Dense(4, name: "first").Relu(name: "through").Residual(branch => branch.Dense(4, name: "inner").Relu(name: "around")).Dense(2, name: "last").Build();
        Assert.True(Detour.LeadsAround(network, network["around"]));
        Assert.False(Detour.LeadsAround(network, network["through"]));
        Assert.False(Detour.LeadsAround(network, network["last"]));
    }

    [Fact]
    public void RecurrentWeightsFarAboveRadiusOneAreTheCause()
    {
        DataSplit order = DataSource.Open("temporal-order?length=30&samples=300");
        ModelDefinition Of(double scale) => Small(
            Network.Input(30, order.Training.Features / 30).Rnn(24, initializers: new Dictionary<string, Initializer> { ["weight_hh"] = new VarianceScaling(scale * scale, FanMode.In, WeightDistribution.Normal) }).Last().Dense(4).Build(),
            new CrossEntropy(), new Adam(0.005), epochs: 15);
        Finding cause = Found(Of(4), order)[0];
        Assert.Equal((Severity.Error, Causes.BadInitialization), (cause.Severity, cause.Cause));
        Assert.DoesNotContain(Found(Of(1), order).Flat(), finding => finding is { Cause: Causes.BadInitialization });
    }

    [Theory]
    [InlineData(0, 0, 0.85)]
    [InlineData(28, 28, 0.98)]
    [InlineData(0, 5, 0.42)]
    public void ConfidenceIsTheShareThatWasRightDrawnToThatOfAll(int right, int of, double expected) => Assert.Equal(expected, Calibration.Share(right, of), 0.011);

    [Fact]
    public void AnErrorLeadsAndWhatTheNetworkIsOnlySuspectedOfFollows()
    {
        Finding lead = Assert.Single(CauseChain.Link([], [Of("FTH032", Causes.LearningRateTooLarge), Of("FTH006", Causes.LearningRateTooSmall)]));
        Assert.Equal("FTH006", lead.Rule);
        Assert.Equal("FTH032", Assert.Single(lead.Consequences).Rule);
    }

    [Fact]
    public void WhatAConsequenceBringsAboutFollowsTheSameLead()
    {
        // A gradient that explodes kills units, and dead units leave steps of no size: each link is known, the two ends need not be.
        Finding lead = Assert.Single(CauseChain.Link([], [Of("FTH006", Causes.LearningRateTooSmall), Of("FTH004", Causes.DeadRelu), Of("FTH002", Causes.Exploding)]));
        Assert.Equal("FTH002", lead.Rule);
        Assert.Equal(["FTH004", "FTH006"], lead.Consequences.Select(finding => finding.Rule));
    }

    private static Finding Of(string rule, string cause) => new()
    {
        Rule = rule, Problem = "", Severity = Severity.Error, Cause = cause, Layers = [], Step = 5, Confidence = 0.9,
        Evidence = ImmutableSortedDictionary<string, Evidence>.Empty, Explanation = "",
    };
}
