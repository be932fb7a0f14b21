using System.Collections.Immutable;
using Fathom.Diagnosis.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Schedules;

namespace Fathom.Diagnosis.Tests.Audit;

/// <summary>Mistakes of the kinds that forums are full of: each is named where it is made, and nothing is said of the same network without it.</summary>
public sealed class CommonMistakeTests
{
    /// <summary>Three classes by which of three random directions a row lies along.</summary>
    internal static DataSplit Rows(Func<float[], int, IEnumerable<float>>? row = null, Func<int, int>? label = null)
    {
        Random random = new(6);
        return new DataSplit(Part(400), Part(120));

        DataSet Part(int count)
        {
            List<float> inputs = [];
            int[] labels = new int[count];
            for (int i = 0; i < count; i++)
            {
                float[] x = [.. Enumerable.Range(0, 6).Select(_ => (float)(random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5))];
                labels[i] = x[0] * x[1] > 0.05 ? 0 : x[2] > 0 ? 1 : 2;
                inputs.AddRange(row?.Invoke(x, labels[i]) ?? x);
                labels[i] = label?.Invoke(labels[i]) ?? labels[i];
            }
            return DataSet.OfLabels("rows", [inputs.Count / count], [.. inputs], labels, labels.Max() + 1);
        }
    }

    internal static ModelDefinition Network6(Func<NetworkCursor, NetworkCursor>? activation = null, int inputs = 6, int middle = 24, int classes = 3, Func<NetworkCursor, NetworkCursor>? before = null, TrainingPlan? plan = null)
    {
        activation ??= net => net.Relu();
        NetworkCursor start = Network.Input(inputs);
        start = before?.Invoke(start) ?? start;
        return new("mistake", activation(activation(start.Dense(24, VarianceScaling.HeNormal)).Dense(middle, VarianceScaling.HeNormal)).Dense(classes).Build(),
            plan ?? new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Adam(0.005), BatchSize = 32, Epochs = 30 });
    }

    [Fact]
    public void ASoftmaxBetweenLayersIsNamedAndLeads()
    {
        ModelDefinition sick = Network6(net => net.Softmax());
        Finding early = Of(sick, Rows(), "FTH026")!;
        Assert.Equal((Severity.Warning, 2), (early.Severity, early.Layers.Length));
        ModelDefinition deep = new("deep", Network.Input(64).Repeat(4, net => net.Dense(32, VarianceScaling.XavierNormal).Softmax()).Dense(10).Build(), new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(0.05, 0.9), BatchSize = 32, Epochs = 6 });
        Finding lead = Trained(deep, SickNetworks.Digits)[0];
        Assert.Equal(("FTH026", Severity.Error), (lead.Rule, lead.Severity));
        Assert.NotEmpty(lead.Consequences);
    }

    [Fact]
    public void SoftmaxesAtTheOutputAndInAttentionAreNotMeant()
    {
        Assert.Null(Of(Network6(), Rows(), "FTH026"));
        ModelDefinition output = Network6() with { Graph = Network.Input(6).Dense(8).Relu().Dense(3).Softmax().Build() };
        Assert.Null(Of(output, Rows(), "FTH026"));
    }

    [Fact]
    public void TheLabelAmongTheInputsIsNamed()
    {
        DataSplit leaked = Rows((x, label) => [.. x, label]);
        Finding finding = Of(Network6(inputs: 7), leaked, "FTH027")!;
        Assert.Equal((Severity.Warning, 7.0), (finding.Severity, finding.Evidence["feature"].Measured));
        Assert.Null(Of(Network6(inputs: 7), Rows((x, label) => [.. x, x[0] > 0 ? 1 : 0]), "FTH027"));
        Assert.Null(Of(Network6(inputs: 7), Rows((x, label) => [.. x, label + 0.3f * x[5]]), "FTH027")); // tells much, and not everything
    }

    [Fact]
    public void TheTargetItselfIsNamedAndALineIsNot()
    {
        DataSet Of(Func<float, float> feature)
        {
            float[] targets = [.. Enumerable.Range(0, 60).Select(i => (float)Math.Sin(i))];
            return DataSet.OfTargets("values", [2], [.. targets.SelectMany(y => new[] { (float)Math.Cos(7 * y), feature(y) })], targets);
        }
        ModelDefinition model = new("values", Network.Input(2).Dense(8).Tanh().Dense(1).Build(), new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Adam(0.01), Epochs = 5 });
        Assert.NotNull(CommonMistakeTests.Of(model, new DataSplit(Of(y => y), Of(y => y)), "FTH027"));
        Assert.Null(CommonMistakeTests.Of(model, new DataSplit(Of(y => 2 * y + 1), Of(y => 2 * y + 1)), "FTH027"));
    }

    [Fact]
    public void AHiddenLayerOfOneUnitIsNamed()
    {
        Assert.Equal(["dense_2"], Of(Network6(middle: 1), Rows(), "FTH028")!.Layers.AsEnumerable());
        Assert.Null(Of(Network6(), Rows(), "FTH028"));
        // One number is all that the network may know of four classes on a ring.
        Assert.Equal(("FTH028", Severity.Error), Trained(Network6(middle: 1), Rows()).Select(finding => (finding.Rule, finding.Severity)).First());
        Assert.DoesNotContain(Trained(Network6(), Rows()), finding => finding.Severity == Severity.Error);
    }

    [Fact]
    public void LabelsThatBeginWithOneLeaveAClassEmpty()
    {
        Finding finding = Of(Network6(classes: 4), Rows(label: label => label + 1), "FTH017")!;
        Assert.Equal(Severity.Warning, finding.Severity);
        Assert.Contains("Class 0", finding.Explanation);
        Assert.Contains("subtract 1", finding.Action);
        Assert.Null(Of(Network6(), Rows(), "FTH017"));
    }

    [Fact]
    public void AClassOfWeightZeroIsNamed()
    {
        TrainingPlan plan = new() { Loss = new CrossEntropy(), Optimizer = new Adam(0.005), ClassWeights = new ClassWeights([1, 0, 1]) };
        Assert.Contains("weight 0", Of(Network6(plan: plan), Rows(), "FTH017")!.Explanation);
        Assert.Null(Of(Network6(plan: plan with { ClassWeights = new ClassWeights([1, 2, 1]) }), Rows(), "FTH017"));
    }

    [Theory]
    [InlineData(10, true)]
    [InlineData(0.1, false)]
    public void NoiseThatDrownsTheInputsIsNamed(double deviation, bool speaks)
    {
        ModelDefinition model = Network6(before: net => net.GaussianNoise(deviation));
        Assert.Equal(speaks, Of(model, Rows(), "FTH024") is not null);
        Assert.Equal(speaks, Trained(model, Rows()).Any(finding => finding is { Rule: "FTH024", Severity: Severity.Error }));
    }

    /// <summary>Weights that are all positive add up, however small each is.</summary>
    [Theory]
    [InlineData(0, 1, true)]
    [InlineData(-0.3, 0.3, false)]
    public void WeightsWithAMeanAreOfTheWrongScale(double low, double high, bool speaks)
    {
        UniformInitializer weights = new(low, high);
        ModelDefinition model = Network6() with { Graph = Network.Input(6).Repeat(3, net => net.Dense(32, weights).Relu()).Dense(3).Build() };
        Assert.Equal(speaks, Of(model, Rows(), "FTH034") is not null);
    }

    [Fact]
    public void ANetworkWithEverythingFrozenLearnsNothingForSure()
    {
        Finding lead = Trained(Network6() with { Graph = Frozen(6, 24, 3) }, Rows())[0];
        Assert.Equal(("FTH061", Severity.Error, true), (lead.Rule, lead.Severity, lead.IsFinal));
    }

    /// <summary>A schedule that has left nothing of the rate after a few epochs: the advice is about the schedule, not about the rate.</summary>
    [Fact]
    public void AScheduleThatFallsTooEarlyIsWhatTheAdviceIsAbout()
    {
        TrainingPlan plan = new() { Loss = new CrossEntropy(), Optimizer = new Sgd(0.01), BatchSize = 32, Epochs = 20, Schedule = new ExponentialSchedule(0.1) };
        ModelDefinition model = SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal) with { Plan = plan };
        Finding lead = Trained(model, SickNetworks.Digits).First(finding => finding.Severity == Severity.Error);
        Assert.Equal(Causes.LearningRateTooSmall, lead.Cause);
        Assert.Contains("schedule", lead.Action);
        Finding constant = Trained(model with { Plan = plan with { Schedule = ConstantSchedule.Instance, Optimizer = new Sgd(1e-5) } }, SickNetworks.Digits).First(finding => finding.Severity == Severity.Error);
        Assert.DoesNotContain("schedule", constant.Action);
    }

    private static Graph Frozen(int inputs, int units, int classes)
    {
        GraphBuilder builder = new();
        Value value = builder.Input("x", new TensorType(Shape.OfSamples(inputs)));
        value = builder.Layer(new Relu(), null, [builder.Layer(new Dense(units), null, [value], frozen: _ => true)]);
        return builder.Build(builder.Layer(new Dense(classes), null, [value], frozen: _ => true));
    }

    internal static Finding? Of(ModelDefinition model, DataSplit data, string rule) =>
        DataAudit.Inspect(model, data, WatchedRun.Predict(model, data.Training)).FirstOrDefault(finding => finding.Rule == rule);

    private static ImmutableArray<Finding> Trained(ModelDefinition model, DataSplit data)
    {
        using WatchedRun run = new(model, data);
        run.Advance();
        return run.Findings;
    }
}
