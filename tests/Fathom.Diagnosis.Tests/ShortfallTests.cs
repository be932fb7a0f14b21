using System.Collections.Immutable;
using Fathom.Diagnosis.Causation;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>Networks that learn something and fall short all the same, each with its cause and beside a sound one of its kind.</summary>
public sealed class ShortfallTests
{
    private static readonly DataSplit Moons = DataSource.Open("moons?samples=400&noise=0.1", new DataOptions { Seed = 1 });
    private static readonly DataSplit Blobs = DataSource.Open("blobs?samples=600&classes=4&features=2&noise=1", new DataOptions { Seed = 1 }).Standardized();
    private static readonly DataSplit Spirals = DataSource.Open("spirals?samples=600&classes=3&turns=0.75&noise=0.1", new DataOptions { Seed = 1 });

    /// <summary>Decay that lets the loss come half-way down and holds it there.</summary>
    [Theory]
    [InlineData(0.1, 0.05, true)]
    [InlineData(1e-4, 0.01, false)]
    public void DecayThatHoldsTheLossUpIsNamed(double decay, double rate, bool sick)
    {
        ModelDefinition model = SickNetworks.Chain(7, net => net.Selu(), new VarianceScaling(1, FanMode.In, WeightDistribution.Normal), epochs: 12, optimizer: new Sgd(rate, 0.9, WeightDecay: decay));
        ImmutableArray<Finding> findings = Run(model, SickNetworks.Digits);
        Assert.Equal(sick ? "FTH033" : null, findings.FirstOrDefault(finding => finding.Severity == Severity.Error)?.Rule);
    }

    /// <summary>Kernels of 1 in both hidden layers: the first one's units stay equal though the loss falls.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void EqualUnitsAreNamedThoughTheLossFalls(bool equal)
    {
        Initializer weights = equal ? ConstantInitializer.Ones : VarianceScaling.HeNormal;
        ModelDefinition model = Plan(Network.Input(2).Dense(12, weights).Relu().Dense(12, weights).Relu().Dense(4).Build(), new Adam(0.005), 40);
        ImmutableArray<Finding> findings = Run(model, Blobs);
        Finding? lead = findings.FirstOrDefault(finding => finding.Severity == Severity.Error);
        Assert.Equal(equal ? ("FTH030", Causes.BadInitialization) : default, lead is null ? default : (lead.Rule, lead.Cause));
        Assert.True(!equal || lead!.Layers.Contains("dense_1"));
    }

    /// <summary>A run that is over while the loss goes down as before: at longer steps the same run would have been enough.</summary>
    [Theory]
    [InlineData(2e-4, true)]
    [InlineData(5e-3, false)]
    public void ARunThatEndsHalfWayHadShortSteps(double rate, bool sick)
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 8, optimizer: new Adagrad(rate));
        ImmutableArray<Finding> findings = Run(model, SickNetworks.Digits);
        Assert.Equal(sick ? Causes.LearningRateTooSmall : null, findings.FirstOrDefault(finding => finding.Severity == Severity.Error)?.Cause);
    }

    /// <summary>
    /// Steps change a sigmoid layer that began small by much, and still the loss of a batch would be lowest after a longer one: the rate is not too
    /// large, whatever the weights' growth.
    /// </summary>
    [Fact]
    public void WhatLongerStepsWouldLowerIsNotCalledTooLarge()
    {
        ModelDefinition model = Plan(Network.Input(2).Dense(16, new NormalInitializer(0, 0.1)).Sigmoid().Dense(3).Build(), new Sgd(0.02, 0.9), 45);
        using WatchedRun run = new(model, Spirals);
        run.Advance();
        Assert.True(run.Monitor.Observation.Layers[0].IsBlown);
        Assert.InRange(run.Monitor.Observation.StepSharpness, 0, 0.3);
        Assert.DoesNotContain(run.Findings.Flat(), finding => finding is { Severity: Severity.Error, Cause: Causes.LearningRateTooLarge });
    }

    /// <summary>A network with weights too large learns most and stops: it is measured by what the nearest rows tell.</summary>
    [Theory]
    [InlineData(1.2, true)]
    [InlineData(0, false)]
    public void WhatStartedOddAndStaysBehindItsNeighboursIsSick(double deviation, bool sick)
    {
        Initializer weights = sick ? new NormalInitializer(0, deviation) : VarianceScaling.XavierNormal;
        NetworkCursor body = Network.Input(64).Repeat(4, net => net.Dense(24, weights).Tanh());
        ImmutableArray<Finding> findings = Run(Plan(body.Dense(10).Build(), new Adam(0.004), 15), SickNetworks.Digits);
        Finding? lead = findings.FirstOrDefault(finding => finding.Severity == Severity.Error);
        Assert.Equal(sick ? ("FTH034", Causes.BadInitialization) : default, lead is null ? default : (lead.Rule, lead.Cause));
        Assert.Equal(sick, findings.Flat().Any(finding => finding is { Rule: "FTH032", Severity: Severity.Error }));
    }

    /// <summary>Dead units that steps too long have left behind are no second fault, be it an error or a warning.</summary>
    [Theory]
    [InlineData(Severity.Error)]
    [InlineData(Severity.Warning)]
    public void WarningsStandBehindWhatExplainsThem(Severity severity)
    {
        Finding lead = Assert.Single(CauseChain.Link([], [Of("FTH031", Causes.LearningRateTooLarge, severity), Of("FTH043", Causes.DeadRelu, Severity.Warning)]));
        Assert.Equal("FTH031", lead.Rule);
        Assert.Equal("FTH043", Assert.Single(lead.Consequences).Rule);
    }

    /// <summary>Two warnings that have no word for their cause have nothing in common by that, and a warning explains no error.</summary>
    [Fact]
    public void WarningsOfUnlikeCausesStayApart()
    {
        Assert.Equal(["FTH054", "FTH059"], CauseChain.Link([], [Of("FTH054", Causes.Other, Severity.Warning), Of("FTH059", Causes.Other, Severity.Warning)]).Select(finding => finding.Rule).Order());
        Assert.Equal(["FTH004", "FTH031"], CauseChain.Link([], [Of("FTH031", Causes.LearningRateTooLarge, Severity.Warning), Of("FTH004", Causes.DeadRelu, Severity.Error)]).Select(finding => finding.Rule));
    }

    private static ModelDefinition Plan(Graph graph, Optimizer optimizer, int epochs) => new("small", graph, new TrainingPlan { Loss = new CrossEntropy(), Optimizer = optimizer, BatchSize = 32, Epochs = epochs });

    private static ImmutableArray<Finding> Run(ModelDefinition model, DataSplit data)
    {
        using WatchedRun run = new(model, data);
        run.Advance();
        return run.Findings;
    }

    private static Finding Of(string rule, string cause, Severity severity) => new()
    {
        Rule = rule, Problem = "", Severity = severity, Cause = cause, Layers = [], Step = 5, Confidence = 0.9,
        Evidence = ImmutableSortedDictionary<string, Evidence>.Empty, Explanation = "",
    };
}
