using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Diagnosis.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Audit;

/// <summary>Each rule on data that have its fault and no other, and all rules on data that have none.</summary>
public sealed class AuditTests
{
    [Theory]
    [MemberData(nameof(BuiltIns))]
    public void BuiltInDataGiveNoAlarm(string name)
    {
        foreach (ulong seed in (ulong[])[1, 2, 3])
        {
            DataSplit data = DataSource.Open(name, new DataOptions { Seed = seed });
            bool labels = data.Training.Kind == TargetKind.Label;
            Graph graph = name == "brackets"
                ? Network.Indices(data.Training.Features).Embedding(5, 8).Flatten().Dense(2).Build()
                : Network.Input([.. data.Training.RowShape]).Flatten().Dense(16).Relu().Dense(labels ? data.Training.Classes : 1).Build();
            ImmutableArray<Finding> findings = DataAudit.Inspect(Plan(graph, labels ? new CrossEntropy() : new MeanSquaredError()), data);
            Assert.DoesNotContain(findings, finding => finding.Severity >= Severity.Warning);
        }
    }

    public static TheoryData<string> BuiltIns() => [.. DataSource.BuiltIns.Select(item => item.Name)];

    [Fact]
    public void WithoutDataOutputAndLossAreStillLookedAt()
    {
        Assert.Empty(DataAudit.Inspect(Plan(Network.Input(4).Dense(3).Build(), new CrossEntropy()), null));
        Assert.Equal("FTH010", Assert.Single(DataAudit.Inspect(Plan(Network.Input(4).Dense(3).Softmax().Build(), new CrossEntropy()), null)).Rule);
    }

    [Fact]
    public void EachRuleHasItsPageWithItsThreshold()
    {
        foreach (AuditRule rule in AuditCatalog.All)
        {
            string page = File.ReadAllText(Path.Combine(RepositoryFiles.Root, "docs", "rules", rule.Id + ".md"));
            Assert.StartsWith($"# {rule.Id}: {rule.Problem}\n", page);
            Assert.Contains($"**Threshold.** {rule.Threshold}.", page.ReplaceLineEndings("\n"));
        }
        Assert.Equal(AuditCatalog.All.Count, AuditCatalog.All.Select(rule => rule.Id).Distinct().Count());
    }

    [Theory]
    [InlineData(255, true, Severity.Error)]
    [InlineData(255, false, Severity.Warning)] // Adam's step does not follow the gradient's size
    [InlineData(20, true, Severity.Warning)]
    [InlineData(1, true, null)]
    [InlineData(0.001, true, Severity.Warning)]
    public void InputsOfAnotherScale(double scale, bool sgd, Severity? expected)
    {
        DataSplit data = Made.Classes(inputs: x => (float)(Math.Abs(x) * scale));
        Finding? finding = Of(Chain(4, 3, optimizer: sgd ? new Sgd(0.1) : new Adam()), data, "FTH013");
        Assert.Equal(expected, finding?.Severity);
        if (finding is not null)
        {
            Assert.Equal(Causes.UnscaledInput, finding.Cause);
            Assert.Equal(scale, finding.Evidence["input_root_mean_square"].Measured, scale * 0.1); // E[z²] = 1
            Assert.Equal("dense_1", Assert.Single(finding.Layers));
        }
    }

    /// <summary>What is called an error fails, and what is called a warning does not.</summary>
    [Theory]
    [InlineData(255, 0.03, Severity.Error, 0, 0.3)]
    [InlineData(60, 0.1, Severity.Error, 0, 0.3)]
    [InlineData(255, 0.001, Severity.Warning, 0.6, 1)]
    [InlineData(1, 0.1, null, 0.85, 1)]
    public void SgdOnUnscaledDigits(float scale, double rate, Severity? expected, double least, double most)
    {
        DataSplit digits = SickNetworks.Digits, data = new(Scaled(digits.Training), Scaled(digits.Validation));
        ModelDefinition model = SickNetworks.Chain(2, net => net.Relu(), Fathom.Graphs.Initializers.VarianceScaling.HeNormal, rate, epochs: 10);
        Assert.Equal(expected, Of(model, data, "FTH013")?.Severity);
        using WorkerPool pool = new(1);
        using TrainingSession session = new(model, data, pool, watch: false);
        while (!session.Finished)
        {
            session.Step();
        }
        Assert.InRange(session.Evaluate(data.Validation).Metric, least, most);

        DataSet Scaled(DataSet rows) => DataSet.OfLabels("scaled", rows.RowShape, [.. rows.Inputs.ToArray().Select(value => value * scale)], rows.Labels.ToArray(), rows.Classes);
    }

    [Fact]
    public void RescalingOrNormalizationInFrontMendsInputs()
    {
        DataSplit data = Made.Classes(inputs: x => x * 200);
        Assert.Null(Of(Plan(Network.Input(4).Rescaling(1 / 200.0).Dense(3).Build(), new CrossEntropy()), data, "FTH013"));
        Assert.Null(Of(Plan(Network.Input(4).BatchNorm().Dense(3).Build(), new CrossEntropy()), data, "FTH013"));
        Assert.NotNull(Of(Plan(Network.Input(4).Rescaling(0.5).Dense(3).Build(), new CrossEntropy()), data, "FTH013"));
    }

    [Fact]
    public void FeaturesOfDifferentScale()
    {
        DataSplit data = Made.Classes(column: (x, feature) => feature == 2 ? x * 1000 : x);
        Finding finding = Of(Chain(4, 3), data, "FTH014")!;
        Assert.Equal(Severity.Warning, finding.Severity);
        Assert.Contains("feature 3 spans", finding.Explanation);
        Assert.InRange(finding.Evidence["range_ratio"].Measured, 500, 2000);
        Assert.Null(Of(Chain(4, 3), Made.Classes(column: (x, feature) => feature == 2 ? x * 10 : x), "FTH014"));
    }

    [Fact]
    public void ConstantFeatures()
    {
        Assert.Equal(Severity.Error, Of(Chain(4, 3), Made.Classes(column: (_, _) => 1), "FTH015")!.Severity);
        Assert.Equal(Severity.Warning, Of(Chain(4, 3), Made.Classes(column: (x, feature) => feature < 2 ? 1 : x), "FTH015")!.Severity);
        Assert.Null(Of(Chain(4, 3), Made.Classes(column: (x, feature) => feature < 1 ? 1 : x), "FTH015"));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void ValuesThatAreNoNumbers(float value)
    {
        Finding finding = Of(FaultyData.Model(Network.Input(8).Dense(1).Build(), new Sgd(0.1)), FaultyData.Regression(input: value), "FTH016")!;
        Assert.Equal(Severity.Error, finding.Severity);
        Assert.Contains("row 4, feature 3", finding.Explanation);
        finding = Of(FaultyData.Model(Network.Input(8).Dense(1).Build(), new Sgd(0.1)), FaultyData.Regression(target: value), "FTH016")!;
        Assert.Contains("in row 4 the target is", finding.Explanation);
    }

    [Fact]
    public void RareClasses()
    {
        DataSplit data = Made.Classes(rows: 1000, labels: i => i % 100 == 0 ? 1 : 0, classes: 2);
        Finding finding = Of(Chain(4, 2), data, "FTH017")!;
        Assert.Equal(99, finding.Evidence["largest_over_smallest_class"].Measured, 1.0);
        Assert.Equal(0.99, finding.Evidence["majority_accuracy"].Measured, 2);
        ModelDefinition weighted = Chain(4, 2);
        Assert.Null(Of(weighted with { Plan = weighted.Plan with { ClassWeights = ClassWeights.Balanced } }, data, "FTH017"));
        Assert.Null(Of(Chain(4, 2), Made.Classes(rows: 1000, labels: i => i % 5 == 0 ? 1 : 0, classes: 2), "FTH017"));
    }

    [Fact]
    public void RowsThatAreThereTwice()
    {
        DataSet rows = Made.Classes(rows: 300).Training;
        int[] twice = [.. Enumerable.Range(0, 300), .. Enumerable.Range(0, 60)];
        Finding finding = Of(Chain(4, 3), new DataSplit(rows.Subset(twice), rows.Subset([0])), "FTH018")!;
        Assert.Equal(Severity.Warning, finding.Severity);
        Assert.Equal(60.0 / 360, finding.Evidence["repeated_rows"].Measured, 12);
        Assert.Null(Of(Chain(4, 3), new DataSplit(rows, rows.Subset([0])), "FTH018"));
    }

    [Fact]
    public void RowsOfFewValuesRepeatByNature()
    {
        DataSplit data = Made.Classes(rows: 400, inputs: x => x > 0 ? 1 : 0);
        Assert.Equal(Severity.Info, Of(Chain(4, 3), data, "FTH018")!.Severity);
        Assert.Equal(Severity.Info, Of(Chain(4, 3), data, "FTH019")!.Severity);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(300)] // wide rows are told apart by two stretches first
    public void ValidationRowsThatWereTrainedOn(int features)
    {
        DataSet rows = Made.Classes(rows: 200, features: features).Training, others = Made.Classes(rows: 100, features: features, seed: 9).Training;
        float[] mixed = [.. others.Inputs[..(90 * features)], .. rows.Inputs.Slice(50 * features, 10 * features)];
        DataSet validation = DataSet.OfLabels("v", [features], mixed, new int[100], 3);
        Finding finding = Of(Chain(features, 3), new DataSplit(rows, validation), "FTH019")!;
        Assert.Equal(0.1, finding.Evidence["validation_rows_trained_on"].Measured, 12);
        Assert.Contains("validation row 91 is training row 51", finding.Explanation);
        Assert.Null(Of(Chain(features, 3), new DataSplit(rows, others), "FTH019"));
    }

    [Fact]
    public void WideRowsThatDifferOutsideTheStretchesAreNoRepeats()
    {
        DataSet rows = Made.Classes(rows: 100, features: 300).Training;
        float[] near = rows.Inputs.ToArray();
        for (int row = 50; row < 100; row++)
        {
            rows.Inputs.Slice((row - 50) * 300, 300).CopyTo(near.AsSpan(row * 300));
            near[row * 300 + (row % 2 == 0 ? 0 : 299)] += row < 90 ? 1 : 0; // the last ten are true repeats
        }
        RowGroups groups = new AuditScope(Chain(300, 3), new DataSplit(DataSet.OfLabels("n", [300], near, new int[100], 3), rows)).Groups!;
        Assert.Equal(10, groups.Repeats);
        Assert.Equal([40, 90], groups.Repeated[0]);
    }

    [Fact]
    public void EqualRowsWithDifferentClasses()
    {
        DataSet rows = Made.Classes(rows: 200).Training;
        float[] inputs = [.. rows.Inputs, .. rows.Inputs[..(20 * 4)]];
        int[] labels = [.. rows.Labels, .. rows.Labels[..20].ToArray().Select(label => (label + 1) % 3)];
        DataSet contradicting = DataSet.OfLabels("c", [4], inputs, labels, 3);
        Finding finding = Of(Chain(4, 3), new DataSplit(contradicting, rows.Subset([0])), "FTH020")!;
        Assert.Equal(1 - 20.0 / 220, finding.Evidence["best_training_accuracy"].Measured, 12);
        Assert.Contains("rows 1 and 201", finding.Explanation);
    }

    [Fact]
    public void EqualRowsWithDifferentValues()
    {
        DataSet rows = FaultyData.Regression().Training;
        float[] inputs = [.. rows.Inputs, .. rows.Inputs], targets = [.. rows.Targets.ToArray().Select(target => target + 1), .. rows.Targets.ToArray().Select(target => target - 1)];
        DataSet contradicting = DataSet.OfTargets("c", [8], inputs, targets);
        double variance = targets.Average(t => t * t) - Math.Pow(targets.Average(), 2);
        Finding finding = Of(FaultyData.Model(Network.Input(8).Dense(1).Build(), new Sgd(0.1)), new DataSplit(contradicting, rows), "FTH020")!;
        Assert.Equal(1 - 1 / variance, finding.Evidence["best_r2"].Measured, 4); // each target is 1 off its pair's mean
    }

    [Fact]
    public void BatchesAndRows()
    {
        ModelDefinition norm = Plan(Network.Input(4).Dense(8).BatchNorm().Relu().Dense(3).Build(), new CrossEntropy());
        Assert.Equal(Severity.Error, Of(norm with { Plan = norm.Plan with { BatchSize = 1 } }, Made.Classes(), "FTH021")!.Severity);
        Assert.Equal(Severity.Warning, Of(norm with { Plan = norm.Plan with { BatchSize = 8, Accumulate = 4 } }, Made.Classes(), "FTH021")!.Severity);
        Assert.Null(Of(norm, Made.Classes(), "FTH021"));
        Assert.Equal(Severity.Warning, Of(norm with { Plan = norm.Plan with { BatchSize = 1000 } }, Made.Classes(), "FTH021")!.Severity);
        Assert.Null(Of(norm with { Plan = norm.Plan with { BatchSize = TrainingPlan.FullBatch } }, Made.Classes(), "FTH021"));
    }

    private static Finding? Of(ModelDefinition model, DataSplit data, string rule) => DataAudit.Inspect(model, data).SingleOrDefault(finding => finding.Rule == rule);

    internal static ModelDefinition Chain(int features, int classes, Optimizer? optimizer = null) => Plan(Network.Input(features).Dense(8).Relu().Dense(classes).Build(), new CrossEntropy(), optimizer);

    internal static ModelDefinition Plan(Graph graph, Loss loss, Optimizer? optimizer = null) =>
        new("audited", graph, new TrainingPlan { Loss = loss, Optimizer = optimizer ?? new Sgd(0.1), BatchSize = 32, Epochs = 5 });
}
