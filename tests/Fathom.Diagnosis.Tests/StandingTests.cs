using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Rules;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>A run is changed on account of an error that stands, and of no other.</summary>
public sealed class StandingTests
{
    /// <summary>Runs with a beginning that rules took for a fault, and that learn.</summary>
    private static readonly Dictionary<string, Func<ModelDefinition>> SoundModels = new()
    {
        // The mended samples/deep-sigmoid.yaml, cut to five epochs: the loss jumps up once in the second.
        ["elu, 20 deep"] = () => On(SickNetworks.Digits, Hidden(20, 64, net => net.Elu(), VarianceScaling.XavierNormal), new Sgd(0.1), epochs: 5),
        // Weights of almost nothing: Adam's first steps are many times their size.
        ["tiny weights and Adam"] = () => On(SickNetworks.Digits, Hidden(3, 48, net => net.Elu(), new NormalInitializer(0, 3e-4)), new Adam(4.6e-3), epochs: 17),
        ["relu, 3 deep"] = () => SickNetworks.HealthyRelu(),
        ["relu and Adam"] = () => SickNetworks.Chain(8, net => net.Relu(), VarianceScaling.HeNormal, optimizer: new Adam()),
        // Branches that add nothing: their units stay equal, and the network learns without them.
        ["residual, branches of 0"] = () => On(SickNetworks.Digits, Network.Input(64).Dense(32, VarianceScaling.XavierNormal)
            .Repeat(4, net => net.Add(net.Dense(32, new ConstantInitializer(0)).Tanh().Dense(32, new ConstantInitializer(0)))).Dense(10, VarianceScaling.XavierNormal).Build(), new Adam(3e-3), epochs: 25),
    };

    /// <summary>Faults from the first step on, the rules that may name them, and the share of the run by which they are acted on.</summary>
    private static readonly Dictionary<string, (Func<ModelDefinition> Model, ImmutableArray<string> Rules, double Share)> SickModels = new()
    {
        ["sigmoid, 15 deep"] = (() => SickNetworks.Vanishing(epochs: 10), ["FTH001"], 0.08),
        ["rate 1e-7"] = (() => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-7, epochs: 10), ["FTH006"], 0.08),
        ["tanh, weights N(0, 3)"] = (() => SickNetworks.Chain(5, net => net.Tanh(), new NormalInitializer(0, 3), rate: 0.01, epochs: 10), ["FTH003"], 0.08),
        ["biases of -10"] = (() => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, epochs: 10, bias: new ConstantInitializer(-10)), ["FTH004"], 0.02),
        ["weights of 0"] = (() => SickNetworks.Chain(3, net => net.Tanh(), new ConstantInitializer(0), epochs: 10), ["FTH030", "FTH001"], 0.03),
        ["rate 1e30"] = (() => SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e30), ["FTH005"], 0.02),
    };

    public static TheoryData<string> Sound => [.. SoundModels.Keys];

    public static TheoryData<string> Sick => [.. SickModels.Keys];

    [Xunit.Theory]
    [MemberData(nameof(Sound))]
    public void ASoundRunIsNotStopped(string name)
    {
        using WatchedRun run = new(SoundModels[name](), SickNetworks.Digits) { OnFinding = FindingAction.Stop };
        List<string> errors = [];
        run.Monitor.Found += finding => Note(finding, finding.Step);
        run.Monitor.Changed += Note;
        run.Advance();

        Assert.Equal((RunStatus.Completed, (ActionTaken?)null), (run.Status, run.Taken));
        Assert.Equal([], errors);
        Assert.InRange(run.Outcome().Training.Metric, 0.85, 1);

        void Note(Finding finding, long step)
        {
            if (finding.Severity == Severity.Error)
            {
                errors.Add($"step {step}: {finding.Rule} {finding.Explanation}");
            }
        }
    }

    [Xunit.Theory]
    [MemberData(nameof(Sick))]
    public void ASickRunIsStoppedEarly(string name)
    {
        (Func<ModelDefinition> model, ImmutableArray<string> rules, double share) = SickModels[name];
        using WatchedRun run = new(model(), SickNetworks.Digits) { OnFinding = FindingAction.Stop };
        run.Advance();

        ActionTaken taken = Assert.IsType<ActionTaken>(run.Taken);
        Assert.Contains(taken.Finding.Rule, rules);
        Assert.InRange((taken.Step + 1.0) / run.Session.TotalSteps, 0, share);
        // What may yet get better has stood for as long as it says; what cannot has not been waited for.
        Assert.Equal(taken.Finding.IsFinal ? 0 : run.Monitor.StepsToStand, (taken.Step - taken.Finding.Step) / run.Monitor.Interval * run.Monitor.Interval, run.Monitor.Interval);
    }

    [Fact]
    public void AConstantOutputIsNotTrainedAndAnyOtherThatDoesNotSuitIs()
    {
        DataSplit circles = DataSource.Open("circles", new DataOptions { Seed = 3 });
        Graph one = Network.Input(2).Dense(16, VarianceScaling.HeNormal).Relu().Dense(1, VarianceScaling.XavierNormal).Softmax().Build();
        Graph linear = Network.Input(2).Dense(16, VarianceScaling.HeNormal).Relu().Dense(16, VarianceScaling.HeNormal).Relu().Dense(1, new NormalInitializer(0, 0.05), new ConstantInitializer(0.5)).Build();
        using WatchedRun constant = new(Binary(one), circles) { OnFinding = FindingAction.Stop }, sound = new(Binary(linear), circles) { OnFinding = FindingAction.Stop };
        constant.Advance();
        sound.Advance();

        Assert.Equal((RunStatus.Stopped, 0L, "FTH010"), (constant.Status, constant.Session.NextStep, constant.Taken!.Finding.Rule));
        Assert.Equal("FTH010", Assert.Single(constant.Findings, finding => finding.Severity == Severity.Error).Rule);
        // The audit takes it for an error, and training shows that the network learns in spite of it.
        Assert.Contains(sound.Audit, finding => finding is { Rule: "FTH010", Severity: Severity.Error });
        Assert.Contains(sound.Foreseen, finding => finding is { Rule: "FTH010", Severity: Severity.Warning });
        Assert.Equal((RunStatus.Completed, (ActionTaken?)null), (sound.Status, sound.Taken));
        Assert.InRange(sound.Outcome().Training.Metric, 0.9, 1);

        static ModelDefinition Binary(Graph graph) => new("binary", graph, new TrainingPlan { Loss = new BinaryCrossEntropy(FromLogits: false), Optimizer = new Adam(0.01), BatchSize = 32, Epochs = 20 });
    }

    [Fact]
    public void ARestoredRunActsWhereTheWholeOneDoes()
    {
        ModelDefinition model = SickNetworks.Vanishing(epochs: 10);
        using WatchedRun whole = new(model, SickNetworks.Digits) { OnFinding = FindingAction.Stop };
        whole.Advance();
        long step = whole.Taken!.Step;

        // In the middle of what the error must stand.
        using WatchedRun first = new(model, SickNetworks.Digits) { OnFinding = FindingAction.Stop };
        first.Advance(until: step - whole.Monitor.StepsToStand / 2);
        Assert.Null(first.Taken);
        Assert.Contains(first.Monitor.Findings, finding => finding.Severity == Severity.Error);
        using WatchedRun second = new(model, SickNetworks.Digits) { OnFinding = FindingAction.Stop };
        second.Session.Restore(first.Session.Capture());
        second.Monitor.Restore(first.Monitor.Capture());
        second.Advance();
        Assert.Equal(step, second.Taken!.Step);

        // One that has been acted on is not acted on again when the run goes on.
        using WatchedRun third = new(model, SickNetworks.Digits) { OnFinding = FindingAction.Stop };
        third.Session.Restore(second.Session.Capture());
        third.Monitor.Restore(second.Monitor.Capture());
        Assert.True(third.Monitor.HasStood("FTH001"));
        third.Advance();
        Assert.Equal(RunStatus.Completed, third.Status);
    }

    [Xunit.Theory]
    [InlineData(10_000, 50, 300)]
    [InlineData(1_000, 5, 30)]
    [InlineData(400, 2, 20)]
    [InlineData(225, 1, 12)]
    [InlineData(30, 1, 5)]
    public void AnErrorStandsForAShareOfTheRun(long steps, long interval, long needed) => Assert.Equal(needed, Standing.StepsNeeded(steps, interval));

    [Fact]
    public void AnInterruptionBeginsItAnew()
    {
        Standing standing = new(2, 1000, 5);
        Finding error = Error();
        Assert.Equal([], Say(standing, 0, error, null));
        Assert.Equal([], Say(standing, 25, error, null));
        Assert.Equal([0], Say(standing, 30, error, null));
        Assert.Equal([], Say(standing, 35, error, null)); // told once
        Assert.Equal([], Say(standing, 40, null, null));
        Assert.Equal((-1, false), (standing.Since, standing.IsTold(0)));
        Assert.Equal([], Say(standing, 45, error, null));
        Assert.Equal([], Say(standing, 70, error, null));
        Assert.Equal([0], Say(standing, 75, error, null));
    }

    [Fact]
    public void AnErrorThatTakesOverFromAnotherStandsAsLongAsBoth()
    {
        Standing standing = new(2, 1000, 5);
        Assert.Equal([], Say(standing, 0, Error(), null));
        Assert.Equal([], Say(standing, 15, Error(), Error()));
        Assert.Equal([], Say(standing, 20, null, Error()));
        Assert.Equal([1], Say(standing, 30, null, Error()));
        Assert.True(standing.Hear(0, Error() with { IsFinal = true }));
        Assert.False(standing.Hear(0, Error() with { IsFinal = true }));
    }

    private static int[] Say(Standing standing, long step, Finding? first, Finding? second)
    {
        Assert.False(standing.Hear(0, first));
        Assert.False(standing.Hear(1, second));
        return [.. standing.Judge(step)];
    }

    /// <summary>Between the thresholds a finding keeps the severity that it has.</summary>
    [Fact]
    public void ALossAboutTheThresholdDoesNotTurnAnErrorIntoAWarningAndBack()
    {
        using WatchedRun run = new(SickNetworks.HealthyRelu(), SickNetworks.Digits);
        Observation seen = run.Monitor.Observation;
        (seen.FirstLoss, Rule rule) = (4, new DeadRelu());
        seen.Loss = 1.8; // 45 % of the start
        Assert.True(seen.LossFallsFor(rule));
        seen.Open = [Error() with { Rule = rule.Id }];
        Assert.False(seen.LossFallsFor(rule));
        seen.Loss = 1.5;
        Assert.True(seen.LossFallsFor(rule));
        seen.Loss = 1.9;
        seen.Open = [Error() with { Rule = rule.Id, Severity = Severity.Warning }];
        Assert.True(seen.LossFallsFor(rule));
        seen.Loss = 2.1;
        Assert.False(seen.LossFallsFor(rule)); // above 90 % of a constant prediction's ln 10
    }

    private static Graph Hidden(int depth, int width, Func<NetworkCursor, NetworkCursor> activation, Initializer weight) =>
        Network.Input(64).Repeat(depth, net => activation(net.Dense(width, weight))).Dense(10).Build();

    private static ModelDefinition On(DataSplit data, Graph graph, Optimizer optimizer, int epochs) =>
        new(data.Training.Name, graph, new TrainingPlan { Loss = new CrossEntropy(), Optimizer = optimizer, BatchSize = 32, Epochs = epochs });

    private static Finding Error() => new()
    {
        Rule = "FTH001",
        Problem = "a problem",
        Severity = Severity.Error,
        Cause = Causes.Vanishing,
        Layers = [],
        Step = 0,
        Confidence = 1,
        Evidence = ImmutableSortedDictionary<string, Evidence>.Empty,
        Explanation = "",
    };
}
