using Fathom.Compute;
using Fathom.Diagnosis.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using static Fathom.Diagnosis.Tests.Audit.AuditTests;

namespace Fathom.Diagnosis.Tests.Audit;

/// <summary>Outputs against losses and targets.</summary>
public sealed class OutputTests
{
    public static TheoryData<string, string, int, Severity?> Table => new()
    {
        // output, loss, columns, severity with class labels
        { "linear", "cross_entropy", 3, null },
        { "log_softmax", "cross_entropy", 3, null },
        { "softmax", "cross_entropy", 3, Severity.Error },
        { "sigmoid", "cross_entropy", 3, Severity.Error },
        { "tanh", "cross_entropy", 3, Severity.Warning },
        { "relu", "cross_entropy", 3, Severity.Warning },
        { "softmax", "cross_entropy_probabilities", 3, null },
        { "linear", "cross_entropy_probabilities", 3, Severity.Error },
        { "sigmoid", "cross_entropy_probabilities", 3, Severity.Warning },
        { "linear", "binary_cross_entropy", 1, null },
        { "sigmoid", "binary_cross_entropy", 1, Severity.Error },
        { "relu", "binary_cross_entropy", 1, Severity.Error },
        { "tanh", "binary_cross_entropy", 1, Severity.Warning },
        { "sigmoid", "binary_cross_entropy_probabilities", 1, null },
        { "linear", "binary_cross_entropy_probabilities", 1, Severity.Error },
        { "softmax", "binary_cross_entropy_probabilities", 1, Severity.Error },
        { "softmax", "binary_cross_entropy_probabilities", 3, Severity.Warning },
        { "softmax", "binary_cross_entropy_probabilities", 2, null },
        { "log_softmax", "nll", 3, null },
        { "softmax", "nll", 3, Severity.Error },
        { "linear", "nll", 3, Severity.Error },
        { "linear", "mse", 3, null },
        { "softmax", "mse", 3, Severity.Warning },
        { "sigmoid", "mse", 1, Severity.Warning },
        { "tanh", "mse", 1, Severity.Warning },
        { "softmax", "mse", 1, Severity.Error },
        { "relu", "mse", 3, Severity.Warning },
        { "linear", "hinge", 1, null },
        { "tanh", "hinge", 1, null },
        { "sigmoid", "hinge", 1, Severity.Error },
        { "linear", "margin", 3, Severity.Error },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void OutputAgainstLoss(string output, string loss, int columns, Severity? expected)
    {
        int classes = Math.Max(2, columns);
        DataSplit data = Made.Classes(classes: classes);
        Finding? finding = DataAudit.Inspect(Model(output, loss, columns), data).SingleOrDefault(item => item.Rule == "FTH010");
        Assert.Equal(expected, finding?.Severity);
        Assert.Equal(expected is null ? null : Causes.WrongOutputOrLoss, finding?.Cause);
    }

    /// <summary>The bound that the message states is the least loss that such an output can have.</summary>
    [Fact]
    public void LossOfLogitsThatATanhBoundsHasTheFloorThatIsStated()
    {
        Finding finding = DataAudit.Inspect(Model("tanh", "cross_entropy", 3), Made.Classes()).Single(item => item.Rule == "FTH010");
        double[] best = [1, -1, -1];
        Assert.Contains(FormattableString.Invariant($"stays above {-Math.Log(Math.Exp(1) / best.Sum(Math.Exp)):0.##}"), finding.Explanation);
    }

    [Theory]
    [InlineData(3, 3, "cross_entropy", null)]
    [InlineData(2, 3, "cross_entropy", Severity.Error)]
    [InlineData(1, 3, "binary_cross_entropy", Severity.Error)]
    [InlineData(10, 3, "cross_entropy", Severity.Warning)]
    public void ColumnsAgainstClasses(int columns, int classes, string loss, Severity? expected) =>
        Assert.Equal(expected, DataAudit.Inspect(Model("linear", loss, columns), Made.Classes(classes: classes)).SingleOrDefault(item => item.Rule == "FTH011")?.Severity);

    [Fact]
    public void OneNumberFittedToClassNumbers()
    {
        Assert.Equal(Severity.Warning, DataAudit.Inspect(Model("linear", "mse", 1), Made.Classes()).Single().Severity);
        DataSet rows = Made.Classes().Training;
        DataSet named = DataSet.OfLabels("n", [4], rows.Inputs.ToArray(), rows.Labels.ToArray(), 3, ["ant", "bee", "cat"]);
        Assert.Equal(Severity.Error, DataAudit.Inspect(Model("linear", "mse", 1), new DataSplit(named, rows)).Single(item => item.Rule == "FTH010").Severity);
    }

    [Theory]
    [InlineData("linear", "mse", null)]
    [InlineData("tanh", "mse", null)]
    [InlineData("relu", "mse", Severity.Error)]
    [InlineData("sigmoid", "mse", Severity.Error)]
    [InlineData("linear", "binary_cross_entropy", Severity.Error)]
    [InlineData("linear", "hinge", Severity.Error)]
    public void TargetsFromMinusOneToOne(string output, string loss, Severity? expected) =>
        Assert.Equal(expected, DataAudit.Inspect(Model(output, loss, 1), Made.Values(x => x)).SingleOrDefault(item => item.Rule == "FTH012")?.Severity);

    [Fact]
    public void WhatIsOutOfReachBoundsR2()
    {
        // Of uniform targets on [−1, 1] a ReLU misses E[x²; x < 0] = 1/6 of the variance 1/3.
        Finding finding = DataAudit.Inspect(Model("relu", "mse", 1), Made.Values(x => x, rows: 30_000)).Single();
        Assert.Equal(0.5, finding.Evidence["best_r2"].Measured, 0.02);
        Assert.Equal(0.5, finding.Evidence["share_out_of_range"].Measured, 0.02);
        Assert.Equal(Severity.Warning, DataAudit.Inspect(Model("relu", "mse", 1), Made.Values(x => x + 0.95)).Single().Severity);
    }

    [Theory]
    [InlineData(0, "constant", Severity.Error)]
    [InlineData(1, "sgd", null)]
    [InlineData(1e4, "adam", Severity.Warning)]
    [InlineData(1e4, "sgd", Severity.Error)]
    [InlineData(1e-5, "sgd", Severity.Warning)]
    public void TargetsOfAnotherScale(double scale, string optimizer, Severity? expected)
    {
        ModelDefinition model = Model("linear", "mse", 1, optimizer == "adam" ? new Adam() : new Sgd(0.1));
        Assert.Equal(expected, DataAudit.Inspect(model, Made.Values(x => x * scale + (scale == 0 ? 3 : 0))).SingleOrDefault(item => item.Rule == "FTH022")?.Severity);
    }

    /// <summary>What the rule calls an error is one: the run diverges, and with scaled targets it does not.</summary>
    [Theory]
    [InlineData(1, 0.1, false)]
    [InlineData(1e4, 0.1, true)]
    [InlineData(3e5, 0.001, true)]
    public void SgdOnLargeTargetsDiverges(double scale, double rate, bool diverges)
    {
        ModelDefinition model = new("large", Network.Input(4).Dense(16).Relu().Dense(16).Relu().Dense(1).Build(),
            new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Sgd(rate), BatchSize = 32, Epochs = 5 });
        Assert.Equal(diverges, DataAudit.Inspect(model, Made.Values(x => x * scale)).Any(finding => finding is { Rule: "FTH022", Severity: Severity.Error }));
        using WorkerPool pool = new(1);
        using TrainingSession session = new(model, Made.Values(x => x * scale), pool, watch: false);
        double loss = 0;
        while (!session.Finished && double.IsFinite(loss))
        {
            loss = session.Step().Loss;
        }
        double mean = scale * scale / 3;
        Assert.Equal(diverges, !(loss < 10 * mean));
    }

    private static ModelDefinition Model(string output, string loss, int columns, Optimizer? optimizer = null)
    {
        NetworkCursor body = Network.Input(4).Dense(8).Relu().Dense(columns);
        Op? op = output == "linear" ? null : OpCatalog.ByKind[output];
        bool probabilities = loss.EndsWith("_probabilities", StringComparison.Ordinal);
        Loss chosen = loss switch
        {
            "cross_entropy_probabilities" => new CrossEntropy(FromLogits: false),
            "binary_cross_entropy_probabilities" => new BinaryCrossEntropy(FromLogits: false),
            _ => LossCatalog.ByKind[loss],
        };
        Assert.Equal(probabilities, chosen.Output == OutputMeaning.Probabilities && loss != "margin");
        return Plan(op is null ? body.Build() : body.Then(op).Build(), chosen, optimizer);
    }
}
