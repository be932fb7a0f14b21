using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

public sealed class NearOverflowTests
{
    [Fact]
    public void AGeometricDivergenceIsForetoldWithItsStep()
    {
        // Gradient descent on a quadratic beyond 2/λ: errors grow by the same factor in every step.
        ModelDefinition model = Linear(rate: 3);
        using WatchedRun run = new(model, FaultyData.Regression());
        List<Finding> told = [];
        run.Monitor.Found += told.Add;
        run.Advance();

        Finding warning = Assert.Single(told, finding => finding.Rule == "FTH065");
        Finding end = Assert.Single(told, finding => finding.Rule == "FTH005");
        Assert.Equal(Severity.Warning, warning.Severity);
        Assert.InRange(warning.Step, 5, end.Step - 5);
        double foretold = warning.Evidence["overflow_step"].Measured;
        Assert.InRange(foretold, warning.Step + 0.7 * (end.Step - warning.Step), warning.Step + 1.3 * (end.Step - warning.Step) + 2);
        Assert.Contains($"about step {foretold}", warning.Explanation);
        Assert.Contains("3.4e+38", warning.Explanation);
        Assert.Contains("fp16 (largest 65504) it would have overflowed already", warning.Details);
    }

    [Fact]
    public void NumbersNearTheEndAreToldEvenIfTheyStand()
    {
        Graph network = Network.Input(8).Dense(4, new ConstantInitializer(1e20f)).Dense(4, new ConstantInitializer(1e17f)).Dense(1, new ConstantInitializer(1e-30f)).Build();
        using WatchedRun run = new(FaultyData.Model(network, new Sgd(1e-30)), FaultyData.Regression());
        Finding? found = null;
        run.Monitor.Found += finding => found = finding.Rule == "FTH065" ? finding : found;
        run.Advance(until: 5);

        Assert.Equal(("dense_2", Causes.Exploding, 0), (Assert.Single(found!.Layers), found.Cause, found.Step));
        Assert.Contains("does not grow", found.Explanation);
    }

    [Fact]
    public void AHealthyNetworkIsLeftAlone()
    {
        using WatchedRun run = new(Linear(rate: 0.05), FaultyData.Regression());
        run.Monitor.Found += finding => Assert.NotEqual("FTH065", finding.Rule);
        run.Advance();
        Assert.True(run.Ended);
    }

    /// <summary>Large numbers alone are no fault: inputs in units of 1e8, weights that fit them.</summary>
    [Fact]
    public void LargeNumbersThatDoNotGrowAreLeftAlone()
    {
        Graph network = Network.Input(8).Dense(4, new ConstantInitializer(1e11f)).Dense(1, new ConstantInitializer(1e-12f)).Build();
        using WatchedRun run = new(FaultyData.Model(network, new Sgd(1e-26)), FaultyData.Regression());
        run.Monitor.Found += finding => Assert.NotEqual("FTH065", finding.Rule);
        run.Advance(until: 40);
    }

    [Fact]
    public void TheTrendSurvivesAResume()
    {
        using WatchedRun whole = new(Linear(rate: 3), FaultyData.Regression()), rest = new(Linear(rate: 3), FaultyData.Regression());
        Finding? expected = null, actual = null;
        whole.Monitor.Found += finding => expected = finding.Rule == "FTH065" ? finding : expected;
        rest.Monitor.Found += finding => actual = finding.Rule == "FTH065" ? finding : actual;
        whole.Advance(until: 5);
        Assert.Null(expected);
        rest.Session.Restore(whole.Session.Capture());
        rest.Monitor.Restore(whole.Monitor.Capture());
        whole.Advance();
        rest.Advance();
        Assert.Equal((expected!.Step, expected.Explanation), (actual!.Step, actual.Explanation));
    }

    private static ModelDefinition Linear(double rate) => new("linear", Network.Input(8).Dense(1, VarianceScaling.XavierNormal).Build(),
        new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Sgd(rate), BatchSize = TrainingPlan.FullBatch, Epochs = 2000 });
}
