using Fathom.Diagnosis.Preflight;
using Fathom.Diagnosis.Preflight.Rules;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>Initial weights as the root of what follows, batch normalization over depth, and shattering.</summary>
public sealed class InitialScaleTests
{
    public static TheoryData<string> WrongSizes => ["small", "large tanh", "large relu"];

    [Theory]
    [MemberData(nameof(WrongSizes))]
    public void WeightsOfTheWrongSizeAreTheRoot(string kind)
    {
        ModelDefinition model = kind switch
        {
            "small" => SickNetworks.Chain(6, net => net.Relu(), new NormalInitializer(0, 0.01), rate: 0.05),
            "large tanh" => SickNetworks.Chain(6, net => net.Tanh(), new NormalInitializer(0, 3), rate: 0.01),
            _ => SickNetworks.Chain(10, net => net.Relu(), new VarianceScaling(32, FanMode.In, WeightDistribution.Normal), rate: 0.01),
        };
        Finding finding = SickNetworks.Run(model).Findings[0];

        Assert.Equal(("FTH034", Severity.Error, Causes.BadInitialization), (finding.Rule, finding.Severity, finding.Cause));
        Assert.Equal("dense_1", finding.Layers[0]);
        Assert.InRange(finding.Step, 0, 10);
        Assert.NotEmpty(finding.Consequences);
        double ratio = finding.Evidence["weights_over_matched"].Measured;
        Assert.True(kind == "small" ? ratio < 1.0 / 3 : ratio > 2, $"{kind}: {ratio}");
    }

    [Fact]
    public void OneLayerThatStartedTooSmallIsTheOneNamed()
    {
        Graph network = Network.Input(64).Repeat(2, net => net.Dense(32, VarianceScaling.HeNormal).Relu()).Dense(32, new NormalInitializer(0, 1e-5)).Relu()
            .Repeat(2, net => net.Dense(32, VarianceScaling.HeNormal).Relu()).Dense(10, VarianceScaling.XavierNormal).Build();
        Finding finding = SickNetworks.Run(SickNetworks.Chain(1, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.01) with { Graph = network }).Findings[0];

        Assert.Equal(("FTH034", Severity.Error), (finding.Rule, finding.Severity));
        Assert.Equal("dense_3", Assert.Single(finding.Layers));
    }

    /// <summary>A deep chain of sigmoids vanishes whatever the weights are, and small weights that learn are no fault.</summary>
    [Theory]
    [InlineData("deep sigmoid")]
    [InlineData("small but learning")]
    [InlineData("normalized")]
    [InlineData("he")]
    public void WeightsAreNotBlamedForWhatTheyDoNotDo(string kind)
    {
        ModelDefinition model = kind switch
        {
            "deep sigmoid" => SickNetworks.Vanishing(),
            "small but learning" => SickNetworks.Chain(2, net => net.Relu(), new NormalInitializer(0, 0.05), optimizer: new Adam(0.003)),
            "normalized" => SickNetworks.Chain(4, net => net.BatchNorm().Relu(), new NormalInitializer(0, 0.001), rate: 0.05),
            _ => SickNetworks.HealthyRelu(6),
        };
        List<Finding> found = [];
        using WatchedRun run = new(model, SickNetworks.Digits);
        run.Monitor.Found += found.Add;
        run.Advance();
        Assert.DoesNotContain(run.Findings, finding => finding is { Rule: "FTH034", Severity: Severity.Error });
        Assert.DoesNotContain(found, finding => finding.Cause == Causes.BadInitialization);
    }

    [Fact]
    public void BatchNormalizationWithoutSkipConnectionsExplodesOverDepth()
    {
        ModelDefinition model = SickNetworks.Chain(40, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal, optimizer: new Adam(0.001));
        Finding finding = Assert.Single(SickNetworks.Run(model).Findings, finding => finding.Severity == Severity.Error);

        Assert.Equal(("FTH048", Causes.Exploding), (finding.Rule, finding.Cause));
        Assert.InRange(finding.Step, 0, 10);
        // Yang et al. 2019, theorem 8: ×√1.522 = 1.234 per layer at batches of 32.
        Evidence factor = finding.Evidence["gradient_factor_per_layer"];
        Assert.InRange(factor.Measured, 1.15, 1.3);
        Assert.InRange(factor.Expected, 1.22, 1.25);
    }

    [Theory]
    [InlineData(8, false)]
    [InlineData(30, true)]
    public void ShallowOrResidualNormalizedNetworksAreHealthy(int depth, bool residual)
    {
        ModelDefinition model = SickNetworks.Chain(depth, net => residual ? net.Add(net.BatchNorm().Relu().Dense(32, VarianceScaling.HeNormal)) : net.BatchNorm().Relu(), VarianceScaling.HeNormal, rate: 0.05);
        if (residual)
        {
            model = model with { Graph = Network.Input(64).Dense(32).Repeat(depth, net => net.Add(net.BatchNorm().Relu().Dense(32, new VarianceScaling(0.2, FanMode.In, WeightDistribution.Normal)))).Dense(10).Build() };
        }
        List<Finding> found = [];
        using WatchedRun run = new(model, SickNetworks.Digits);
        run.Monitor.Found += found.Add;
        run.Advance();
        Assert.DoesNotContain(found, finding => finding.Rule == "FTH048");
        Assert.DoesNotContain(run.Findings, finding => finding.Severity == Severity.Error);
    }

    [Theory]
    [InlineData("normalized", true)]
    [InlineData("residual", false)]
    [InlineData("plain", false)]
    public void GradientsThatLookLikeNoiseAreShattered(string kind, bool shattered)
    {
        ModelDefinition model = kind switch
        {
            "normalized" => SickNetworks.Chain(30, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal),
            "plain" => SickNetworks.HealthyRelu(10),
            _ => SickNetworks.HealthyRelu() with { Graph = Network.Input(64).Dense(32).Repeat(30, net => net.Add(net.BatchNorm().Relu().Dense(32, VarianceScaling.HeNormal))).Dense(10).Build() },
        };
        PreflightReport report = Preflight.PreflightTests.Measure(model, out PropagationPrediction prediction, new PreflightOptions { Correlations = true });
        Finding? finding = PreflightCatalog.Inspect(model, prediction, report).FirstOrDefault(finding => finding.Rule == "FTH047");

        Assert.Equal(shattered, finding is not null);
        if (finding is not null)
        {
            Assert.Equal(Severity.Warning, finding.Severity);
            Assert.InRange(finding.Evidence["autocorrelation"].Measured, -0.1, 0.1);
        }
    }
}
