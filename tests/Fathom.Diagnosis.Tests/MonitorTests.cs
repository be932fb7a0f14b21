using Fathom.Compute;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

public sealed class MonitorTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("fathom-monitor-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void NonFiniteTensorsStayOutOfTheTraces()
    {
        // Step 1 overflows, with NaN gradients all over: the traces stay as step 0 left them.
        ModelDefinition model = SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e30);
        using WatchedRun run = new(model, SickNetworks.Digits);
        run.Advance(until: 1);
        (double, double)[] before = [.. run.Monitor.Observation.Layers.Select(layer => (layer.LogGradient, layer.MeanLogGradient))];
        run.Advance();

        Assert.Equal(RunStatus.Diverged, run.Status);
        Assert.All(before, norms => Assert.InRange(norms.Item1, -5, 2));
        Assert.Equal(before, run.Monitor.Observation.Layers.Select(layer => (layer.LogGradient, layer.MeanLogGradient)));
    }

    /// <summary>No constant prediction does better than p_c ∝ w_c·n_c, whatever the weights.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheLossOfAConstantPredictionHasTheClassesWeights(bool oneHot)
    {
        double[] weights = [1, 4, 0.5, 1, 2, 1, 1, 3, 1, 1];
        ModelDefinition healthy = SickNetworks.HealthyRelu();
        ModelDefinition model = healthy with { Plan = healthy.Plan with { Loss = new CrossEntropy(OneHot: oneHot), ClassWeights = new ClassWeights([.. weights]) } };
        using WatchedRun run = new(model, SickNetworks.Digits);

        double[] parts = [.. SickNetworks.Digits.Training.Statistics.ClassCounts.Select((count, label) => count * weights[label])];
        double least = -parts.Sum(part => part * Math.Log(part / parts.Sum())) / (oneHot ? SickNetworks.Digits.Training.Count : parts.Sum());
        Assert.Equal(least, run.Monitor.Observation.ConstantLoss, 1e-9);
    }

    [Fact]
    public void ALayerThatBeginsAtZeroIsNotStarved()
    {
        ModelDefinition model = SickNetworks.Vanishing();
        Graph zero = Network.Input(64).Dense(32, new ConstantInitializer(0)).Sigmoid().Repeat(14, net => net.Dense(32, VarianceScaling.XavierNormal).Sigmoid()).Dense(10, VarianceScaling.XavierNormal).Build();
        using WatchedRun run = new(model with { Graph = zero }, SickNetworks.Digits);
        run.Advance(until: 5);

        Assert.True(double.IsNaN(run.Monitor.Observation.Layers[0].LogRelativeUpdate));
        Assert.InRange(run.Monitor.Observation.Layers[1].LogRelativeUpdate, -46, -6);
    }

    [Fact]
    public void AnActivationBelongsToTheLayerThatFeedsIt()
    {
        Graph network = Network.Input(64).Dense(32, VarianceScaling.XavierNormal).Dense(32, new NormalInitializer(0, 3)).BatchNorm().Tanh().Dense(10, VarianceScaling.XavierNormal).Build();
        using WatchedRun run = new(SickNetworks.HealthyRelu() with { Graph = network }, SickNetworks.Digits);

        Assert.Equal([null, "tanh_1", null], run.Monitor.Observation.Layers.Select(layer => layer.Activation?.Name));
    }

    [Fact]
    public void LayersAreOrderedByDepthWhateverTheOrderOfTheGraph()
    {
        // The projection of the input comes last in the graph, at depth 1.
        NetworkCursor input = Network.Input(64);
        Graph network = Deep(input).Add(input.Dense(32, VarianceScaling.XavierNormal)).Dense(10, VarianceScaling.XavierNormal).Build();
        using WatchedRun run = new(SickNetworks.HealthyRelu() with { Graph = network }, SickNetworks.Digits);
        run.Advance(until: 3);

        int[] depths = [.. run.Monitor.Observation.Layers.Select(layer => layer.Depth)];
        Assert.Equal(depths.Order(), depths);
        DepthFit fit = run.Monitor.Observation.GradientOverDepth;
        Assert.Equal(fit.DecadesPerLayer * (depths.Max() - depths.Min()), fit.Decades, 1e-12);

        static NetworkCursor Deep(NetworkCursor net) => net.Repeat(4, inner => inner.Dense(32, VarianceScaling.XavierNormal).Tanh());
    }

    [Fact]
    public void WatchingAndRecordingAllocateNothingBetweenInspections()
    {
        ModelDefinition model = SickNetworks.HealthyRelu();
        model = model with { Plan = model.Plan with { BatchSize = 8, Epochs = 120 } }; // 180 steps an epoch, an inspection each 108
        using WorkerPool pool = new(1);
        using WatchedRun run = new(model, SickNetworks.Digits, pool);
        using RunRecorder recorder = Recorder(run.Session);
        for (int i = 0; i < 6; i++)
        {
            Once();
        }
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            Once();
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Once()
        {
            StepResult step = run.Session.Step();
            recorder.Step(step);
            run.Monitor.Observe(step);
        }
    }

    [Theory]
    [InlineData(7)] // the finding is about to be certain
    [InlineData(40)]
    public void ARestoredMonitorSaysWhatAnUninterruptedOneSays(int at)
    {
        ModelDefinition model = SickNetworks.Vanishing();
        using WatchedRun whole = new(model, SickNetworks.Digits);
        whole.Advance(until: at);
        Checkpoint checkpoint = whole.Session.Capture();
        string state = whole.Monitor.Capture();
        using WatchedRun rest = new(model, SickNetworks.Digits);
        rest.Session.Restore(checkpoint);
        rest.Monitor.Restore(state);
        Assert.Equal(state, rest.Monitor.Capture());

        whole.Advance();
        rest.Advance();
        Assert.Equal(whole.Monitor.Findings.Select(FindingJson.Write), rest.Monitor.Findings.Select(FindingJson.Write));
        Assert.NotEmpty(rest.Monitor.Findings);
        Assert.Equal(whole.Monitor.Capture(), rest.Monitor.Capture());
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("{}")]
    [InlineData("""{"losses": [1, 2], "layers": {}, "rules": {}}""")]
    public void ADamagedStateIsRefused(string state)
    {
        using WatchedRun run = new(SickNetworks.HealthyRelu(), SickNetworks.Digits);
        Assert.Contains("monitor's state", Assert.Throws<TrainingException>(() => run.Monitor.Restore(state)).Message);
    }

    [Fact]
    public void AnInfiniteGradientThatIsClippedByValueDoesNotEndTheRun()
    {
        // x · ∂L/∂y = 3e38 · (−200/64) overflows; the prediction, 3e38 · 1e-39, is small.
        Graph network = Network.Input(8).Dense(1, new ConstantInitializer(1e-39f)).Build();
        ModelDefinition model = FaultyData.Model(network, new Sgd(1e-42));
        model = model with { Plan = model.Plan with { Clipping = new ClipByValue() } };
        RunOutcome outcome = FaultyData.Run(model, FaultyData.Regression(input: 3e38f, target: 100));

        Assert.Equal((RunStatus.Completed, 3), (outcome.Status, (int)outcome.Steps));
        Assert.Contains(outcome.Findings.Flat(), finding => finding.Rule == "FTH005");
        outcome = FaultyData.Run(model with { Plan = model.Plan with { Clipping = null } }, FaultyData.Regression(input: 3e38f, target: 100));
        Assert.Equal(RunStatus.Diverged, outcome.Status);
    }

    [Fact]
    public void HowARunStandsIsKnownWithoutEvaluation()
    {
        // The validation set cannot be evaluated; an interrupted run must be able to save itself all the same.
        DataSplit data = new(FaultyData.Regression().Training, DataSet.OfTargets("narrow", [2], [1, 2], [1]));
        using WatchedRun run = new(FaultyData.Model(Network.Input(8).Dense(1).Build(), new Sgd(0.01)), data);
        run.Advance(cancellation: new CancellationToken(canceled: true));

        Assert.Equal(RunStatus.Interrupted, run.Status);
        Assert.Throws<TrainingException>(run.Outcome);
    }

    [Fact]
    public void TheRowOfAStepIsWrittenBeforeItsFindings()
    {
        using WatchedRun run = new(SickNetworks.Vanishing(), SickNetworks.Digits);
        run.Recorder = Recorder(run.Session);
        List<(long Found, long? Recorded)> seen = [];
        run.Monitor.Found += finding =>
        {
            using RunReader reader = RunReader.Open(Path.Combine(folder, "a.run"));
            seen.Add((finding.Step, reader.LastStep));
        };
        run.Advance(until: 30);

        (long found, long? recorded) = Assert.Single(seen);
        Assert.Equal(found, recorded);
    }

    [Fact]
    public void AnOpenFindingThatBecomesMoreSevereIsToldAndRecorded()
    {
        // Two of five tanh layers begin saturated, a warning; then the others' weights are blown up: an error.
        using WatchedRun run = new(HalfSaturated(), SickNetworks.Digits);
        run.Recorder = Recorder(run.Session);
        List<(Finding Finding, long Step)> changes = [];
        run.Monitor.Changed += (finding, step) => changes.Add((finding, step));
        run.Advance(until: 10);
        Finding first = Assert.Single(run.Monitor.Findings, finding => finding.Rule == "FTH003");
        Assert.Equal(Severity.Warning, first.Severity);
        foreach (string weight in (string[])["dense_1.weight", "dense_2.weight", "dense_3.weight"])
        {
            Span<float> values = run.Session.Parameters.Value(run.Session.Parameters.Find(weight)).Span;
            for (int i = 0; i < values.Length; i++)
            {
                values[i] *= 100;
            }
        }
        run.Advance(until: 60);

        (Finding finding, long step) = Assert.Single(changes, change => change.Finding.Rule == "FTH003");
        Assert.Equal((Severity.Error, first.Step), (finding.Severity, finding.Step));
        Assert.True(step > 10);
        run.Dispose();
        using RunReader reader = RunReader.Open(Path.Combine(folder, "a.run"));
        Assert.Equal(["warning", "error"], reader.Findings().Where(row => row.Rule == "FTH003").Select(row => row.Severity));
        EventRow over = Assert.Single(reader.Events(), row => row.Kind == "withdrawn" && row.Text.StartsWith("FTH003", StringComparison.Ordinal));
        Assert.Equal(step - 1, over.Step);
    }

    private static ModelDefinition HalfSaturated() => new(
        "half",
        Network.Input(64).Repeat(3, net => net.Dense(32, VarianceScaling.XavierNormal).Tanh()).Repeat(2, net => net.Dense(32, new NormalInitializer(0, 5)).Tanh()).Dense(10, VarianceScaling.XavierNormal).Build(),
        new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(1e-4), BatchSize = 32, Epochs = 5 });

    private RunRecorder Recorder(TrainingSession session) => RunRecorder.Create(Path.Combine(folder, "a.run"), new RunHeader { Name = "m", Model = "m" }, session, overwrite: false);
}
