using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

public sealed class NonFiniteValueTests
{
    [Fact]
    public void AnInputNearOverflowIsANumericalFaultOfTheData()
    {
        Finding finding = Of(FaultyData.Run(FaultyData.Model(Healthy(), new Sgd(1e-6)), FaultyData.Regression(input: 3e38f)));

        Assert.Equal((Causes.Numerical, 0), (finding.Cause, finding.Step));
        Assert.Contains("; the input input itself has values up to 3e+38", finding.Explanation);
        Assert.StartsWith("Scale the data", finding.Action);
    }

    [Fact]
    public void ANaNInTheInputIsNamedAsSuch()
    {
        Finding finding = Of(FaultyData.Run(FaultyData.Model(Healthy(), new Sgd(1e-6)), FaultyData.Regression(input: float.NaN)));

        Assert.Equal(Causes.Numerical, finding.Cause);
        Assert.Equal("input", Assert.Single(finding.Layers));
        Assert.Contains("the input input itself has 1 NaN or infinite value in this batch", finding.Explanation);
        Assert.StartsWith("Mend the data", finding.Action);
    }

    [Fact]
    public void AHugeTargetOverflowsTheLossAndIsNamed()
    {
        Finding finding = Of(FaultyData.Run(FaultyData.Model(Healthy(), new Sgd(1e-6)), FaultyData.Regression(target: 1e30f)));

        Assert.Equal((Causes.Numerical, 0), (finding.Cause, finding.Step));
        Assert.Contains("; the targets have values up to 1e+30", finding.Explanation);
    }

    [Fact]
    public void TheStepsBeforeAreBlamedForWhatTheyDid()
    {
        Finding finding = Of(SickNetworks.Run(SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e30)));

        Assert.Equal((Causes.LearningRateTooLarge, 1), (finding.Cause, finding.Step));
    }

    [Fact]
    public void AnUpdateThatOverflowsTheWeightsIsFoundAtItsStep()
    {
        RunOutcome outcome = SickNetworks.Run(SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e42));
        Finding finding = Of(outcome);

        Assert.Equal((RunStatus.Diverged, 0), (outcome.Status, finding.Step));
        Assert.Equal(Causes.LearningRateTooLarge, finding.Cause);
    }

    [Theory]
    [InlineData(1e20)]
    [InlineData(1e35)]
    public void HugeWeightsExplode(double factor)
    {
        VarianceScaling weights = new(2 * factor * factor, FanMode.In, WeightDistribution.Normal);
        Finding finding = Of(SickNetworks.Run(SickNetworks.Chain(3, net => net.Relu(), weights, rate: 1e-6)));

        Assert.Equal((Causes.Exploding, 0), (finding.Cause, finding.Step));
        Assert.Contains("initial weights", finding.Action);
    }

    [Fact]
    public void TheFirstGradientInTheOrderOfExecutionIsNamed()
    {
        // The forward pass and the loss are finite. Backwards, the gradient of the first layer's output is
        // 1e30 · 1e20, an overflow; everything nearer the output is finite, and what the first layer's gradient makes
        // (its weights' and biases' gradients) comes later.
        Graph network = Network.Input(8).Dense(4, new ConstantInitializer(0)).Dense(4, new ConstantInitializer(1e20f)).Dense(1, new ConstantInitializer(1e20f)).Build();
        RunOutcome outcome = FaultyData.Run(FaultyData.Model(network, new Sgd(1e-6)), FaultyData.Regression());
        Finding finding = Of(outcome);

        Assert.Equal("dense_1", Assert.Single(finding.Layers));
        Assert.StartsWith("dense_1 gradient has the first non-finite values", finding.Explanation);
        Assert.Contains("the backward pass of dense_2", finding.Explanation);
        Assert.Equal(Causes.Exploding, finding.Cause);
    }

    [Fact]
    public void AnOptimizersStateThatOverflowsIsFoundThoughNothingElseDoes()
    {
        // The gradient is 1e21 and finite; (1 - β₂) g² = 1e39 is not. Adam's step is 0 from then on.
        Graph network = Network.Input(8).Dense(1, new ConstantInitializer(0)).Build();
        using WatchedRun run = new(FaultyData.Model(network, new Adam(1e-3), epochs: 30), FaultyData.Regression(input: 1e14f, target: 3e8f));
        List<Finding> told = [];
        run.Monitor.Found += told.Add;
        run.Advance();

        Finding finding = Assert.Single(told, finding => finding.Rule == "FTH005");
        Assert.Equal(("dense_1", 0), (Assert.Single(finding.Layers), finding.Step));
        Assert.Matches("^Step 0 leaves 1 of 8 values of state 1 of adam for dense_1.weight NaN or infinite", finding.Explanation);
        Assert.Equal(RunStatus.Completed, run.Status);
        Assert.Contains(run.Findings.Flat(), open => open.Rule == "FTH005"); // it stays for as long as the state does
    }

    private static Graph Healthy() => Network.Input(8).Dense(16, VarianceScaling.HeNormal).Relu().Dense(1, VarianceScaling.XavierNormal).Build();

    private static Finding Of(RunOutcome outcome) => Assert.Single(outcome.Findings.Flat(), finding => finding.Rule == "FTH005");
}
