using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>The gradient over time, and the gates of recurrent layers.</summary>
public sealed class RecurrentRuleTests
{
    internal static readonly DataSplit Adding = DataSource.Open("adding?length=50&samples=2000", new DataOptions { Seed = 1 });

    [Fact]
    public void APlainLayerThatCannotLearnTheAddingProblemVanishesOverTime()
    {
        Outcome run = Run(Sums(net => net.Rnn(32), new Adam(0.002)), Adding);
        Finding finding = Assert.Single(run.Findings, finding => finding.Severity == Severity.Error);

        Assert.Equal(("FTH040", Causes.Vanishing), (finding.Rule, finding.Cause));
        Assert.Equal("rnn_1", Assert.Single(finding.Layers));
        Assert.InRange(finding.Step, 0, 0.4 * run.Steps);
        Assert.True(finding.Evidence["decades_lost_over_time"].Measured > 3);
        Assert.InRange(finding.Evidence["memory_steps"].Measured, 0.5, 20);
        Assert.Contains(finding.RuledOut, rival => rival.StartsWith("learning rate too small", StringComparison.Ordinal));
    }

    [Fact]
    public void AnLstmThatLearnsItRaisesNoAlarmAtAnyTime()
    {
        Outcome run = Run(Sums(net => net.Lstm(32), new Adam(0.005)), Adding);

        Assert.True(run.Metric > 0.8, $"R² {run.Metric}");
        Assert.DoesNotContain(run.EverFound, finding => finding.Severity == Severity.Error || finding.Rule is "FTH040" or "FTH041" or "FTH042");
    }

    [Fact]
    public void LargeRecurrentWeightsExplodeOverTime()
    {
        Outcome run = Run(Sums(net => net.Rnn(32, initializers: Recurrent(new VarianceScaling(9, FanMode.In, WeightDistribution.Normal))), new Adam(0.002)), Adding);
        Finding finding = Assert.Single(run.Findings.Flat(), finding => finding.Rule == "FTH041");

        Assert.Equal((Severity.Error, Causes.Exploding), (finding.Severity, finding.Cause));
        Assert.InRange(finding.Step, 0, 0.05 * run.Steps);
        // The weights are the root, as theory knew before training; the explosion is what they bring about.
        Assert.Equal(("FTH034", Severity.Error), (run.Findings[0].Rule, run.Findings[0].Severity));
        Assert.Contains(run.Findings[0].Consequences, effect => effect.Rule == "FTH041");
        Evidence factor = finding.Evidence["factor_per_step"];
        Assert.InRange(factor.Measured / factor.Expected, 0.8, 1.25);
    }

    /// <summary>Eight steps lie within any memory, and the loss falls: what the gradient does over time is no fault.</summary>
    [Theory]
    [InlineData("rnn")]
    [InlineData("lstm")]
    [InlineData("gru")]
    public void ARecurrentLayerThatLearnsRaisesNoAlarm(string cell)
    {
        Outcome run = Run(Rows(net => cell switch { "rnn" => net.Rnn(32), "lstm" => net.Lstm(32), _ => net.Gru(32) }), SickNetworks.Digits);

        Assert.True(run.Metric > 0.85, $"accuracy {run.Metric}");
        Assert.DoesNotContain(run.EverFound, finding => finding.Rule is "FTH040" or "FTH041" or "FTH042");
        Assert.DoesNotContain(run.Findings, finding => finding.Severity == Severity.Error);
    }

    [Theory]
    [InlineData("lstm", -12, "nothing new enters the cell")]
    [InlineData("gru", 14, "the state stays as it began")]
    public void AGateThatBeginsStuckIsABadInitialisation(string cell, double bias, string effect)
    {
        Dictionary<string, Initializer> initializers = new() { ["bias_ih"] = new ConstantInitializer(bias) };
        Outcome run = Run(Rows(net => cell == "lstm" ? net.Lstm(32, initializers: initializers) : net.Gru(32, initializers: initializers)), SickNetworks.Digits);
        Finding finding = Assert.Single(run.EverFound, finding => finding.Rule == "FTH042");

        Assert.Equal((Severity.Error, Causes.BadInitialization), (finding.Severity, finding.Cause));
        Assert.Equal($"{cell}_1", Assert.Single(finding.Layers));
        Assert.InRange(finding.Step, 0, 0.05 * run.Steps);
        Assert.Contains(effect, finding.Explanation);
        Assert.True(finding.Evidence["gate_share"].Measured > 0.9);
    }

    [Fact]
    public void GatesThatStepsHaveDrivenAgainstTheStopAreTheRatesFault()
    {
        ModelDefinition model = Rows(net => net.Lstm(32));
        model = model with { Plan = model.Plan with { Optimizer = new Adam(3), Clipping = null } };
        Outcome run = Run(model, SickNetworks.Digits);
        Finding finding = Assert.Single(run.EverFound, finding => finding.Rule == "FTH042");

        Assert.Equal(Causes.LearningRateTooLarge, finding.Cause);
        Assert.Contains("initialisation", Assert.Single(finding.RuledOut));
    }

    /// <summary>Padding has no gates: what stands there must not count as shut or open.</summary>
    [Fact]
    public void PaddingDoesNotCountAsAGate()
    {
        float[] tokens = [.. Enumerable.Range(0, 64).SelectMany(row => Enumerable.Range(0, 6).Select(step => step < 2 ? 1f + (row + step) % 3 : 0f))];
        DataSet data = DataSet.OfLabels("tokens", [6], tokens, [.. Enumerable.Range(0, 64).Select(row => row % 2)], 2);
        NetworkCursor input = Network.Indices(6);
        Dictionary<string, Initializer> initializers = new() { ["bias_ih"] = new ConstantInitializer(3.2) };
        Graph network = input.Embedding(4, 3).Lstm(4, mask: input.PaddingMask(), initializers: initializers).Select(-1).Dense(2).Build();
        using WatchedRun run = new(new ModelDefinition("padded", network, new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(1e-3), BatchSize = 16, Epochs = 1 }), new DataSplit(data, data));
        run.Advance(until: 1);

        // σ(3.2 ± little) is above 0.95; the rows of padding, with what went before the sigmoid, are not there.
        GateActivity forget = run.Monitor.Observation.Interior.Gates.Single().Gates.Single(gate => gate.Gate == "forget");
        Assert.InRange(forget.Open, 0.5, 1);
        Assert.Equal(0, forget.Shut);
    }

    [Fact]
    public void TheLineOverTimeGoesOnWhereTheGradientHasUnderflowed()
    {
        // A tenth per step, 0 before step 10, and nothing read after step 40.
        double[] norms = [.. Enumerable.Range(0, 50).Select(step => step is < 10 or > 40 ? LayerTrace.Floor : step - 41.0)];
        TimeFit fit = TimeFit.Of(norms);

        Assert.Equal(1, fit.DecadesPerStep, 1e-12);
        Assert.Equal(40, fit.DecadesLost, 1e-9);
        Assert.Equal(1 / Math.Log(10), fit.MemoryTime, 1e-12);
        Assert.Equal(0, TimeFit.Of([LayerTrace.Floor, LayerTrace.Floor, -1]).DecadesLost);
    }

    [Fact]
    public void ARestoredMonitorKnowsItsGatesAndItsLineOverTime()
    {
        ModelDefinition model = Sums(net => net.Gru(8).Rnn(8), new Adam(0.002), epochs: 1);
        using WatchedRun whole = new(model, Adding);
        whole.Advance(until: 12);
        using WatchedRun rest = new(model, Adding);
        rest.Session.Restore(whole.Session.Capture());
        rest.Monitor.Restore(whole.Monitor.Capture());

        Assert.Equal(whole.Monitor.Capture(), rest.Monitor.Capture());
        Assert.Equal(whole.Monitor.Observation.Interior.Gates.Single().Gates.ToArray(), rest.Monitor.Observation.Interior.Gates.Single().Gates.ToArray());
        whole.Advance();
        rest.Advance();
        Assert.Equal(whole.Monitor.Capture(), rest.Monitor.Capture());
    }

    internal static Dictionary<string, Initializer> Recurrent(Initializer initializer) => new() { ["weight_hh"] = initializer };

    internal static ModelDefinition Sums(Func<NetworkCursor, NetworkCursor> cell, Optimizer optimizer, int epochs = 10) => new("sums",
        cell(Network.Input(50, 2)).Select(-1).Dense(1).Build(),
        new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = optimizer, BatchSize = 50, Epochs = epochs, Clipping = new ClipByGlobalNorm(1) });

    internal static ModelDefinition Rows(Func<NetworkCursor, NetworkCursor> cell) => new("rows",
        cell(Network.Input(8, 8)).Select(-1).Dense(10).Build(),
        new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Adam(0.005), BatchSize = 32, Epochs = 10, Clipping = new ClipByGlobalNorm(1) });

    internal static Outcome Run(ModelDefinition model, DataSplit data)
    {
        List<Finding> found = [];
        using WatchedRun run = new(model, data);
        run.Monitor.Found += found.Add;
        run.Advance();
        RunOutcome outcome = run.Outcome();
        return new Outcome(outcome.Findings, found, outcome.Validation.Metric, run.Session.TotalSteps);
    }

    /// <summary>What held at the end, and what was ever found, withdrawn or not.</summary>
    internal sealed record Outcome(System.Collections.Immutable.ImmutableArray<Finding> Findings, IReadOnlyList<Finding> EverFound, double Metric, long Steps);
}
