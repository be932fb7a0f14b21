using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Tests.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>Networks held against a lookup of their nearest rows: which of them fall short of it, and which know their rows however high the loss.</summary>
public sealed class FallsShortTests
{
    private static readonly DataSplit Spirals = DataSource.Open("spirals?samples=600&classes=3&turns=0.75&noise=0.1", new DataOptions { Seed = 3 });

    /// <summary>y = sin 2x₁ · cos 1.5x₂ on a square.</summary>
    internal static DataSplit Ripple(int rows = 500)
    {
        Random random = new(4);
        return new DataSplit(Part(rows), Part(rows / 4));

        DataSet Part(int count)
        {
            float[] inputs = [.. Enumerable.Range(0, 2 * count).Select(_ => (float)(random.NextDouble() * 3 - 1.5))];
            return DataSet.OfTargets("ripple", [2], inputs, [.. Enumerable.Range(0, count).Select(i => (float)(Math.Sin(2 * inputs[2 * i]) * Math.Cos(1.5 * inputs[2 * i + 1])))]);
        }
    }

    /// <summary>Two layers of sigmoids at a small rate: the loss falls and falls, and the run is over.</summary>
    internal static ModelDefinition Sigmoids(Optimizer optimizer, int epochs) => Plan(
        Network.Input(2).Dense(32, VarianceScaling.XavierUniform).Sigmoid().Dense(32, VarianceScaling.XavierUniform).Sigmoid().Dense(1).Build(), new MeanSquaredError(), optimizer, epochs);

    internal static ModelDefinition Tanhs(int epochs = 80) => Plan(
        Network.Input(2).Dense(32, VarianceScaling.XavierUniform).Tanh().Dense(32, VarianceScaling.XavierUniform).Tanh().Dense(1).Build(), new MeanSquaredError(), new Adam(0.01), epochs);

    private static ModelDefinition Units(int units, int epochs = 60) => Plan(Network.Input(2).Dense(units, VarianceScaling.HeNormal).Relu().Dense(3).Build(), new CrossEntropy(), new Adam(0.01), epochs);

    [Fact]
    public void ARegressionThatEndsHalfWayIsAnErrorWithItsCause()
    {
        ImmutableArray<Finding> findings = Run(Sigmoids(new Adam(0.003), 60), Ripple());
        Finding lead = findings.First(finding => finding.Severity == Severity.Error);
        Assert.Equal("FTH067", lead.Rule);
        Assert.Equal(Causes.Vanishing, lead.Cause); // 0.2 per layer of sigmoids
        Assert.InRange(lead.Evidence["behind_nearest_rows"].Measured, 0.1, 1);
        Assert.DoesNotContain(Run(Tanhs(), Ripple()).Flat(), finding => finding.Severity == Severity.Error);
    }

    /// <summary>Two units cannot bend around three arms; thirty-two can.</summary>
    [Theory]
    [InlineData(2, true)]
    [InlineData(32, false)]
    public void TooFewUnitsFallShortOfTheirNeighbours(int units, bool sick)
    {
        ImmutableArray<Finding> findings = Run(Units(units), Spirals);
        Assert.Equal(sick, findings.Flat().Any(finding => finding is { Severity: Severity.Error, Rule: "FTH032" or "FTH067" }));
        Assert.Equal(sick, findings.Any(finding => finding.Severity == Severity.Error));
    }

    /// <summary>A sound network stopped after a few passes needs no more than time.</summary>
    [Fact]
    public void AShortSoundRunIsNoError()
    {
        ModelDefinition model = SickNetworks.Chain(8, net => net.Tanh(), VarianceScaling.XavierNormal, rate: 0.05, epochs: 3);
        using WatchedRun run = new(model, SickNetworks.Digits);
        run.Advance();
        Assert.DoesNotContain(run.Findings.Flat(), finding => finding.Severity == Severity.Error);
        Assert.True(run.Monitor.Observation.Unlearnt(run.Monitor.Observation.Losses.Now) > 0.15);
    }

    /// <summary>The outputs' scale does not count: logits a hundred times too small know as much.</summary>
    [Fact]
    public void WhatIsRightAndUnsureIsLearnt()
    {
        using WatchedRun run = new(Units(32), Spirals);
        run.Advance();
        RowsLeft sure = RowsLeft.Measure(run.Monitor.Observation, validation: false)!.Value;
        Assert.True(sure.IsLearnt);
        Span<float> weights = run.Session.Parameters.Value(run.Session.Parameters.Find("dense_2.weight")).Span, biases = run.Session.Parameters.Value(run.Session.Parameters.Find("dense_2.bias")).Span;
        Scale(weights, 0.01f);
        Scale(biases, 0.01f);
        RowsLeft unsure = RowsLeft.Measure(run.Monitor.Observation, validation: false)!.Value;
        Assert.Equal(sure.Network, unsure.Network, 0.005);
        Assert.Equal(sure.Neighbours, unsure.Neighbours);
        Assert.True(run.Monitor.Observation.TrainingLoss() > 10 * unsure.Network);
    }

    /// <summary>A network that knows nothing leaves what a constant prediction leaves, and neighbours of rows without meaning tell nothing.</summary>
    [Fact]
    public void AConstantLeavesTheEntropyAndNoiseHasNoStandard()
    {
        DataSplit noise = Made.Classes(rows: 300, features: 4, classes: 3, labels: i => i * 7919 % 31 % 3);
        ModelDefinition constant = Plan(Network.Input(4).Dense(3, ConstantInitializer.Zeros).Build(), new CrossEntropy(), new Sgd(1e-9), 1);
        using WatchedRun run = new(constant, noise);
        run.Advance();
        RowsLeft left = RowsLeft.Measure(run.Monitor.Observation, validation: false)!.Value;
        Assert.Equal(Math.Log(3), left.Network, 0.01);
        Assert.Equal(Math.Log(3), left.Constant, 0.01);
        Assert.False(left.IsShort);
        Assert.False(left.IsLearnt);
    }

    /// <summary>What was looked at last decides what is said next, so that it goes along in a checkpoint.</summary>
    [Fact]
    public void LooksGoAlongInACheckpoint()
    {
        using WatchedRun run = new(Units(2, 20), Spirals);
        run.Advance();
        RowLooks looks = new(run.Monitor.Observation), again = new(run.Monitor.Observation);
        Assert.NotNull(looks.OfTraining);
        double[] state = [.. looks.Capture()];
        Assert.True(again.Restore(state));
        Assert.Equal(state, again.Capture());
        Assert.False(again.Restore([1, 2]));
    }

    private static void Scale(Span<float> values, float by)
    {
        foreach (ref float value in values)
        {
            value *= by;
        }
    }

    private static ModelDefinition Plan(Graph graph, Loss loss, Optimizer optimizer, int epochs) => new("rows", graph, new TrainingPlan { Loss = loss, Optimizer = optimizer, BatchSize = 32, Epochs = epochs });

    private static ImmutableArray<Finding> Run(ModelDefinition model, DataSplit data)
    {
        using WatchedRun run = new(model, data);
        run.Advance();
        return run.Findings;
    }
}
