using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>Dead units of all kinds.</summary>
public sealed class UnitRuleTests
{
    /// <summary>Steps of Adam that are ten times too long: units of the first layer die one after the other, while the rest learns.</summary>
    internal static ModelDefinition Dying => SickNetworks.Chain(4, net => net.Relu(), VarianceScaling.HeNormal, epochs: 40, optimizer: new Adam(0.02)) with
    {
        Graph = Network.Input(64).Repeat(4, net => net.Dense(64, VarianceScaling.HeNormal).Relu()).Dense(10, VarianceScaling.XavierNormal).Build(),
    };

    [Fact]
    public void ChannelsThatAreZeroAtEveryPixelAreDead()
    {
        Finding finding = Assert.Single(SickNetworks.Run(Images(new ConstantInitializer(-8))).Findings.Flat(), finding => finding.Rule == "FTH004");

        Assert.Equal(Causes.DeadRelu, finding.Cause);
        Assert.Equal("relu_1 relu_2", string.Join(' ', finding.Layers));
        Assert.Contains("6 of 6 units", finding.Explanation); // channels, not pixels
    }

    /// <summary>The digits' first and last columns are empty: pixels there are dead, the channels are not.</summary>
    [Fact]
    public void DeadPixelsMakeNoDeadChannel()
    {
        Graph network = Network.Input(1, 8, 8).Conv2d(6, 3, padding: 1, weight: VarianceScaling.HeNormal, bias: new ConstantInitializer(-0.05)).Relu().Flatten().Dense(10).Build();
        using WatchedRun run = new(new ModelDefinition("images", network, new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(0.01), BatchSize = 32, Epochs = 1 }), SickNetworks.Digits);
        UnitActivity activity = Assert.Single(run.Monitor.Observation.Units());

        Assert.Equal((6, 0), (activity.Units, activity.Dead));
        Assert.DoesNotContain(SickNetworks.Run(Images(null)).Findings.Flat(), finding => finding.Rule is "FTH004" or "FTH043");
    }

    [Fact]
    public void UnitsAreChannelsFeaturesOrElements()
    {
        NetworkCursor image = Network.Input(3, 8, 8).Conv2d(5, 3, padding: 1);
        Assert.Equal((5, 64), UnitAxis.Layout(image.BatchNorm().Relu().Value));
        Assert.Equal((5, 1), UnitAxis.Layout(Network.Input(8, 8, 3).Then(new Conv2d(5, new Size2d(3, 3), ChannelsLast: true), null, null, []).Relu().Value));
        Assert.Equal((7, 1), UnitAxis.Layout(Network.Input(9, 4).Dense(7).Relu().Value));
        Assert.Equal((7, 1), UnitAxis.Layout(Network.Input(4).Dense(7).Relu().Value));
        Assert.Equal((320, 1), UnitAxis.Layout(image.Flatten().Relu().Value));
    }

    [Fact]
    public void UnitsThatDieOneAfterTheOtherAreSeenBeforeHalfAreDead()
    {
        List<(Finding Finding, double Share)> found = [];
        using WatchedRun run = new(Dying, SickNetworks.Digits);
        UnitTrace first = run.Monitor.Observation.Interior.Units[0];
        run.Monitor.Found += finding => found.Add((finding, first.Shares.Count == 0 ? 0 : first.Shares[^1].Share));
        run.Advance();
        (Finding finding, double share) = Assert.Single(found, item => item.Finding.Rule == "FTH043");

        Assert.Equal((Severity.Warning, Causes.DeadRelu, "relu_1"), (finding.Severity, finding.Cause, finding.Layers[0]));
        Assert.InRange(share, 0.2, 0.5);
        Assert.True(first.Shares[^1].Share >= 0.5, $"it said so of {first.Shares[^1].Share}"); // and so it came
    }

    [Theory]
    [InlineData(0.05)]
    [InlineData(0.2)]
    public void ANetworkThatKeepsItsUnitsIsNotDying(double rate)
    {
        List<Finding> found = [];
        using WatchedRun run = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate, epochs: 10), SickNetworks.Digits);
        run.Monitor.Found += found.Add;
        run.Advance();
        Assert.DoesNotContain(found, finding => finding.Rule is "FTH043" or "FTH004");
    }

    [Fact]
    public void MaxoutUnitsOfWhichOnePieceAlwaysWinsAreNamed()
    {
        // Biases between −5 and 5 decide which piece is the largest, whatever comes in.
        Finding finding = Assert.Single(SickNetworks.Run(Maxout(new NormalInitializer(0, 1e-4), new UniformInitializer(-5, 5), rate: 1e-5)).Findings.Flat(), finding => finding.Rule == "FTH004");

        Assert.Equal((Severity.Warning, Causes.DeadRelu), (finding.Severity, finding.Cause));
        Assert.Equal("maxout_1", finding.Layers[0]);
        Assert.Contains("16 of 16 units", finding.Explanation);
        Assert.DoesNotContain(SickNetworks.Run(Maxout(VarianceScaling.HeNormal, null, rate: 0.05)).Findings.Flat(), other => other.Rule == "FTH004");
    }

    /// <summary>tanh lies within a plain recurrent layer: its saturation is the layer's own.</summary>
    [Fact]
    public void APlainRecurrentLayerSaturatesToo()
    {
        Dictionary<string, Initializer> large = new() { ["weight_ih"] = new NormalInitializer(0, 20), ["weight_hh"] = new NormalInitializer(0, 20) };
        Graph network = Network.Input(8, 8).Rnn(32, initializers: large).Select(-1).Dense(10).Build();
        Finding finding = Assert.Single(SickNetworks.Run(SickNetworks.HealthyRelu() with { Graph = network }).Findings.Flat(), finding => finding.Rule == "FTH003");

        Assert.Equal("rnn_1", Assert.Single(finding.Layers));
        Assert.True(finding.Evidence["saturated_share"].Measured > 0.8);
    }

    private static ModelDefinition Images(Initializer? bias) => new("images",
        Network.Input(1, 8, 8).Repeat(2, net => net.Conv2d(6, 3, padding: 1, weight: VarianceScaling.HeNormal, bias: bias).Relu()).Flatten().Dense(10, VarianceScaling.XavierNormal).Build(),
        new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(0.05), BatchSize = 32, Epochs = 5 });

    private static ModelDefinition Maxout(Initializer weight, Initializer? bias, double rate) => new("maxout",
        Network.Input(64).Repeat(2, net => net.Dense(32, weight, bias).Maxout()).Dense(10, VarianceScaling.XavierNormal).Build(),
        new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(rate), BatchSize = 32, Epochs = 5 });
}
