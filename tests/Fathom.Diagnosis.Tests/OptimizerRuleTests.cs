using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>Faults of optimizer, batch normalization and noise; each on a sick network and on a healthy one of its kind.</summary>
public sealed class OptimizerRuleTests
{
    public static TheoryData<string> Healthy => [.. HealthyModels.Keys];

    private static readonly Dictionary<string, Func<ModelDefinition>> HealthyModels = new()
    {
        ["adam"] = () => SickNetworks.Chain(4, net => net.Relu(), VarianceScaling.HeNormal, optimizer: new Adam()),
        ["keras adam"] = () => SickNetworks.Chain(3, net => net.Tanh(), VarianceScaling.XavierNormal, optimizer: new KerasAdam(0.003)),
        ["rmsprop"] = () => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, optimizer: new RmsProp(0.002)),
        ["adagrad"] = () => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, optimizer: new Adagrad(0.03)),
        ["momentum"] = () => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, optimizer: new Sgd(0.02, 0.9)),
        ["momentum 0.99"] = () => SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, epochs: 15, optimizer: new Sgd(0.002, 0.99)),
        ["large epsilon with a rate to match"] = () => SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, optimizer: new Adam(0.1, Epsilon: 0.1)),
        ["batch norm"] = () => SickNetworks.Chain(4, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal, optimizer: new Adam(0.003)),
        ["batch norm, batch 8"] = () => Batch(SickNetworks.Chain(3, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal, optimizer: new Adam(0.003)), 8),
        ["dropout"] = () => SickNetworks.Chain(2, net => net.Relu().Dropout(0.2), VarianceScaling.HeNormal, epochs: 8, optimizer: new Adam(0.003)),
    };

    [Theory]
    [MemberData(nameof(Healthy))]
    public void HealthyNetworksHaveNone(string name) =>
        Assert.Equal([], Run(HealthyModels[name](), SickNetworks.Digits).Where(finding => string.CompareOrdinal(finding.Rule, "FTH050") >= 0 && finding.Severity != Severity.Info).Select(finding => $"{finding.Rule} {finding.Explanation}"));

    [Fact]
    public void StepsThatBounceAboutOvershoot()
    {
        Finding finding = One(Run(Bouncing(), StepMeasurementTests.Linear(noise: 0.1)), "FTH052");
        Assert.Equal((Severity.Warning, Causes.LearningRateTooLarge), (finding.Severity, finding.Cause));
        Assert.InRange(finding.Evidence["step_sharpness"].Measured, 1.5, 3);
        Assert.Contains("edge of stability", finding.Explanation);
    }

    [Fact]
    public void AnEpsilonAboveTheGradientsIsTheCauseOfShortSteps()
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, optimizer: new Adam(1e-3, Epsilon: 30));
        RunOutcome outcome = SickNetworks.Run(model);
        Finding finding = Assert.Single(outcome.Findings, finding => finding.Severity == Severity.Error);
        Assert.Equal(("FTH053", Causes.Other), (finding.Rule, finding.Cause));
        Assert.Contains("epsilon to 1e-8", finding.Action);
        Assert.True(finding.Step < 0.1 * outcome.Steps);
    }

    [Fact]
    public void AGradientBelowAUsualEpsilonIsNotTheOptimizersFault()
    {
        List<Finding> found = Run(SickNetworks.Chain(14, net => net.Sigmoid(), VarianceScaling.XavierNormal, optimizer: new Adam()), SickNetworks.Digits);
        Assert.Contains(found, finding => finding.Rule == "FTH001");
        Assert.DoesNotContain(found, finding => finding is { Rule: "FTH053", Severity: Severity.Error });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SecondMomentsOfThePastHoldStepsDown(bool filled)
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, optimizer: new Adam(3e-4));
        List<Finding> found = [];
        using WatchedRun run = new(model, SickNetworks.Digits);
        run.Monitor.Found += found.Add;
        run.Advance(until: 15);
        if (filled)
        {
            FillSecondMoments(run.Session);
        }
        run.Advance();
        if (!filled)
        {
            Assert.DoesNotContain(found, finding => finding.Rule == "FTH054");
            return;
        }
        Finding finding = One(found, "FTH054");
        Assert.Equal((Severity.Warning, Causes.Other), (finding.Severity, finding.Cause));
        Assert.True(finding.Evidence["root_over_gradient"].Measured > 100);
        Assert.True(finding.Evidence["steps_to_forget"].Measured > 5000);
    }

    [Fact]
    public void AnOptimizerWithoutMemoryIsNamed()
    {
        ModelDefinition model = SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 10, optimizer: new Adam(0.12, Beta1: 0.1, Beta2: 0.1));
        Finding finding = One(Run(model, SickNetworks.Digits), "FTH055");
        Assert.Equal((Severity.Error, Causes.Other), (finding.Severity, finding.Cause));
        Assert.InRange(finding.Evidence["step_over_rate"].Measured, 0.5, 1.05);
        Assert.Contains("beta1 to 0.9", finding.Action);
    }

    [Fact]
    public void MomentumThatIsTooHighForTheRateIsNamed()
    {
        ModelDefinition model = SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 10, optimizer: new Sgd(0.5, 0.99));
        Finding finding = One(Run(model, SickNetworks.Digits), "FTH056");
        Assert.Equal((Severity.Warning, Causes.LearningRateTooLarge), (finding.Severity, finding.Cause));
        Assert.Contains("50, 100 times 0.5", finding.Explanation);
    }

    [Fact]
    public void ATinyBatchOfBatchNormalizationIsNamedAtOnce()
    {
        Finding finding = One(Run(Batch(SickNetworks.Chain(3, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal, rate: 0.01, epochs: 1), 3), SickNetworks.Digits), "FTH057");
        Assert.Equal((Severity.Warning, 0L), (finding.Severity, finding.Step));
        Assert.Equal("batch_norm_1 batch_norm_2 batch_norm_3", string.Join(' ', finding.Layers));
        Assert.Equal(3, finding.Evidence["values_per_channel"].Measured);
    }

    [Fact]
    public void PositionsCountAsValuesOfAChannel()
    {
        NetworkCursor images = Network.Input(64).Reshape([1, 8, 8]).Conv2d(4, 3).BatchNorm().Relu().Flatten().Dense(10, VarianceScaling.XavierNormal);
        ModelDefinition model = Batch(SickNetworks.HealthyRelu() with { Graph = images.Build() }, 3);
        Assert.DoesNotContain(Run(model with { Plan = model.Plan with { Epochs = 1 } }, SickNetworks.Digits), finding => finding.Rule == "FTH057");
    }

    [Fact]
    public void RunningStatisticsThatStayBehindAreNamed()
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.BatchNorm(momentum: 0.0005).Relu(), new NormalInitializer(0, 1), epochs: 8, optimizer: new Adam(0.003));
        Finding finding = One(Run(model, SickNetworks.Digits), "FTH058");
        Assert.NotEqual(Severity.Info, finding.Severity);
        Assert.True(finding.Evidence["evaluation_over_training_loss"].Measured > 1.5);
        Assert.StartsWith("Raise the momentum", finding.Action);
        Assert.Contains(finding.RuledOut, rival => rival.StartsWith("overfitting", StringComparison.Ordinal));
    }

    /// <summary>Targets that are mostly noise, batches of two, and a rate near the largest possible: the excess over the noise's own variance is foretold.</summary>
    [Fact]
    public void NoiseThatHoldsTheLossUpIsNamedAndMeasured()
    {
        DataSplit data = StepMeasurementTests.Linear(noise: 3);
        (List<Finding> found, double loss) = Watch(StepMeasurementTests.Line(new Sgd(0.13), 2, 6), data);
        Finding finding = One(found, "FTH060");
        Assert.Equal(Severity.Warning, finding.Severity);
        Assert.True(finding.Evidence["noise_scale"].Measured > 6);

        (List<Finding> none, double least) = Watch(StepMeasurementTests.Line(new Sgd(0.005), 2, 6), data);
        Assert.DoesNotContain(none, other => other.Rule == "FTH060");
        Assert.InRange(finding.Evidence["loss_held_up"].Measured / (loss - least), 0.2, 1.2); // the formula is a lower bound, for small rates, and leaves the bias out
    }

    [Fact]
    public void LabelsThatAreWrongAreNamedAndAreNoFault()
    {
        (List<Finding> found, _) = Watch(Clusters.Model, Clusters.Data(wrong: 0.1));
        Finding finding = One(found, "FTH062");
        Assert.Equal((Severity.Info, Causes.None), (finding.Severity, finding.Cause));
        Assert.InRange(finding.Evidence["sure_of_another_class"].Measured, 0.05, 0.15);
        Assert.DoesNotContain(found, other => other.Severity == Severity.Error);

        (found, _) = Watch(Clusters.Model, Clusters.Data(wrong: 0));
        Assert.DoesNotContain(found, other => other.Rule == "FTH062");
        // Too certain of everything, by steps that are too long: the rows are not to blame.
        Assert.DoesNotContain(Run(SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 10, optimizer: new Adam(0.05, Beta1: 0.1, Beta2: 0.1)), SickNetworks.Digits), other => other.Rule == "FTH062");
        (found, _) = Watch(Clusters.Model, Clusters.Data(wrong: 0, spread: 1.5)); // classes that overlap: hard rows, but no wrong labels
        Assert.DoesNotContain(found, other => other.Rule == "FTH062");
    }

    [Fact]
    public void ABranchThatIsMultipliedByZeroIsStuck()
    {
        Finding finding = One(Run(Branched(0), SickNetworks.Digits), "FTH061");
        Assert.Equal("branch", Assert.Single(finding.Layers));
        Assert.Contains("exactly 0", finding.Explanation);
    }

    [Fact]
    public void StepsThatAreLostInRoundingAreNamed()
    {
        NetworkCursor trunk = Network.Input(64).Dense(32, VarianceScaling.XavierNormal).Tanh();
        Graph network = trunk.Add(trunk.Dense(32, new NormalInitializer(0, 1e5f), name: "huge").Rescaling(1e-6)).Dense(10, VarianceScaling.XavierNormal).Build();
        Finding finding = One(Run(SickNetworks.HealthyRelu() with { Graph = network }, SickNetworks.Digits), "FTH061");
        Assert.Equal(("huge", Causes.LearningRateTooSmall), (Assert.Single(finding.Layers), finding.Cause));
        Assert.Contains("unit in the last place", finding.Explanation);
    }

    [Theory]
    [InlineData(3, true)]
    [InlineData(1, false)]
    public void MostLayersFrozenIsANote(int frozen, bool told)
    {
        GraphBuilder builder = new();
        Value value = builder.Input("x", new TensorType(Shape.OfSamples(64)));
        for (int i = 1; i <= 4; i++)
        {
            int number = i;
            value = builder.Layer(new Dense(i == 4 ? 10 : 32), $"dense_{i}", [value], new Dictionary<string, Initializer> { ["weight"] = VarianceScaling.HeNormal }, frozen: _ => number <= frozen);
            value = i == 4 ? value : builder.Layer(new Relu(), null, [value]);
        }
        List<Finding> found = Run(SickNetworks.HealthyRelu() with { Graph = builder.Build(value) }, SickNetworks.Digits);
        Assert.Equal(told, found.Any(finding => finding is { Rule: "FTH061", Severity: Severity.Info, Cause: Causes.None }));
        Assert.DoesNotContain(found, finding => finding.Rule == "FTH061" && finding.Severity != Severity.Info);
    }

    /// <summary>Clipped steps of length 2 on a squared error of curvature 2: from one slope of the valley to the other.</summary>
    internal static ModelDefinition Bouncing()
    {
        ModelDefinition model = StepMeasurementTests.Line(new Sgd(2), 200, 40);
        return model with { Plan = model.Plan with { Clipping = new Training.Clipping.ClipByGlobalNorm(1) } };
    }

    /// <summary>A trunk, and a branch whose output is multiplied by a number before it is added.</summary>
    internal static ModelDefinition Branched(double factor, int epochs = 5)
    {
        NetworkCursor trunk = Network.Input(64).Dense(32, VarianceScaling.XavierNormal).Tanh();
        Graph network = trunk.Add(trunk.Dense(32, VarianceScaling.XavierNormal, name: "branch").Rescaling(factor)).Dense(10, VarianceScaling.XavierNormal).Build();
        ModelDefinition model = SickNetworks.HealthyRelu();
        return model with { Graph = network, Plan = model.Plan with { Epochs = epochs } };
    }

    /// <summary>Multiplies Adam's mean squared gradients, as one gradient of 10⁴ times its size does.</summary>
    internal static void FillSecondMoments(TrainingSession session) =>
        session.Optimizer.Import(session.Optimizer.Export().ToDictionary(pair => pair.Key, pair => pair.Key.EndsWith(".1", StringComparison.Ordinal) ? [.. pair.Value.Select(v => v * 1e8f)] : pair.Value));

    internal static ModelDefinition Batch(ModelDefinition model, int batch) => model with { Plan = model.Plan with { BatchSize = batch } };

    private static Finding One(IEnumerable<Finding> found, string rule)
    {
        Finding[] all = [.. found];
        return all.FirstOrDefault(finding => finding.Rule == rule) ?? throw new Xunit.Sdk.XunitException($"{rule} is not among {string.Join(" | ", all.Select(finding => $"{finding.Rule} {finding.Explanation}"))}");
    }

    private static List<Finding> Run(ModelDefinition model, DataSplit data) => Watch(model, data).Found;

    /// <summary>All findings as they came, and the mean loss over the last quarter of the run. Each says its value and the next action in a few words.</summary>
    private static (List<Finding> Found, double Loss) Watch(ModelDefinition model, DataSplit data)
    {
        List<Finding> found = [];
        using WatchedRun run = new(model, data);
        run.Monitor.Found += found.Add;
        run.Monitor.Changed += (finding, _) => found.Add(finding);
        double sum = 0;
        long last = run.Session.TotalSteps * 3 / 4, steps = 0;
        run.Stepped = step => (sum, steps) = step.Step < last ? (0, 0) : (sum + step.Loss, steps + 1);
        run.Advance();
        foreach (Finding finding in found.Where(finding => string.CompareOrdinal(finding.Rule, "FTH050") >= 0))
        {
            Assert.InRange(finding.Explanation.Length, 40, 220);
            Assert.InRange(finding.Action.Length, 10, 140);
            Assert.NotEqual("", finding.Details);
        }
        return (found, sum / steps);
    }

    /// <summary>Three clusters in four dimensions, some labels replaced by another.</summary>
    internal static class Clusters
    {
        public static readonly ModelDefinition Model = new("clusters", Network.Input(4).Dense(12, VarianceScaling.HeNormal).Relu().Dense(3, VarianceScaling.XavierNormal).Build(),
            new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Adam(0.005), BatchSize = 32, Epochs = 25 });

        public static DataSplit Data(double wrong, double spread = 0.5)
        {
            DataSet noise = Audit.Made.Classes(rows: 900).Training;
            Random random = new(9);
            float[] inputs = new float[noise.Inputs.Length];
            int[] labels = new int[noise.Count];
            for (int row = 0; row < noise.Count; row++)
            {
                int cluster = row % 3;
                for (int j = 0; j < 4; j++)
                {
                    inputs[4 * row + j] = (float)(spread * noise.Inputs[4 * row + j]) + (j == cluster ? 2 : 0);
                }
                labels[row] = random.NextDouble() < wrong ? (cluster + 1 + random.Next(2)) % 3 : cluster;
            }
            DataSet data = DataSet.OfLabels("clusters", [4], inputs, labels, 3);
            return new DataSplit(data, data);
        }
    }
}
