using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>No error is found in what is healthy, and one in what is obviously sick.</summary>
public sealed class SeverityTests
{
    public static TheoryData<string> Healthy => [.. HealthyModels.Keys];

    public static TheoryData<string> Sick => [.. SickModels.Keys];

    private static readonly Dictionary<string, Func<ModelDefinition>> HealthyModels = new()
    {
        ["relu, rate 0.5"] = () => SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.5),
        ["tanh, rate 0.5"] = () => SickNetworks.Chain(3, net => net.Tanh(), VarianceScaling.XavierNormal, rate: 0.5),
        ["adam, 8 deep"] = () => SickNetworks.Chain(8, net => net.Relu(), VarianceScaling.HeNormal, optimizer: new Adam()),
        ["sigmoid, 2 deep"] = () => SickNetworks.Chain(2, net => net.Sigmoid(), VarianceScaling.XavierNormal, rate: 0.5),
        ["batch norm, 10 deep"] = () => SickNetworks.Chain(10, net => net.BatchNorm().Relu(), VarianceScaling.HeNormal),
        ["residual, 20 deep"] = () => SickNetworks.HealthyRelu() with
        {
            Graph = Network.Input(64).Dense(32, VarianceScaling.XavierNormal).Repeat(20, net => net.Add(net.Dense(32, VarianceScaling.XavierNormal).Tanh())).Dense(10, VarianceScaling.XavierNormal).Build(),
        },
        ["zero last layer"] = () => SickNetworks.HealthyRelu() with
        {
            Graph = Network.Input(64).Dense(32, VarianceScaling.HeNormal).Relu().Dense(32, VarianceScaling.HeNormal).Relu().Dense(10, new ConstantInitializer(0)).Build(),
        },
    };

    private static readonly Dictionary<string, Func<ModelDefinition>> SickModels = new()
    {
        ["relu, 5 deep, rate 10"] = () => SickNetworks.Chain(5, net => net.Relu(), VarianceScaling.HeNormal, rate: 10),
        ["relu, 5 deep, weights ×10"] = () => SickNetworks.Chain(5, net => net.Relu(), new VarianceScaling(200, FanMode.In, WeightDistribution.Normal), rate: 0.05),
        ["tanh, weights N(0, 3)"] = () => SickNetworks.Chain(5, net => net.Tanh(), new NormalInitializer(0, 3)),
        ["sigmoid, 12 deep"] = () => SickNetworks.Chain(12, net => net.Sigmoid(), VarianceScaling.XavierNormal),
    };

    [Theory]
    [MemberData(nameof(Healthy))]
    public void NoErrorIsFoundInWhatIsHealthy(string name) => Assert.Equal([], Errors(SickNetworks.Run(HealthyModels[name]())));

    [Theory]
    [MemberData(nameof(Sick))]
    public void AnErrorIsFoundInWhatIsSick(string name) => Assert.NotEmpty(Errors(SickNetworks.Run(SickModels[name]())));

    /// <summary>Targets that are noise: the loss does not fall, and that alone is no fault of the gradient.</summary>
    [Theory]
    [InlineData(0.01)]
    [InlineData(0.1)]
    public void NoiseThatCannotBeLearntIsNoFault(double rate)
    {
        Graph network = Network.Input(8).Dense(16, VarianceScaling.HeNormal).Relu().Dense(16, VarianceScaling.HeNormal).Relu().Dense(1, VarianceScaling.XavierNormal).Build();
        Assert.Equal([], Errors(FaultyData.Run(FaultyData.Model(network, new Sgd(rate), epochs: 30, batch: 16), FaultyData.Regression())));
    }

    [Fact]
    public void AVanishingGradientClaimsOnlyWhatWasLookedAt()
    {
        // Leaky ReLU cannot saturate; weights of a tenth of He's make its gradient vanish.
        ModelDefinition model = SickNetworks.Chain(10, net => net.LeakyRelu(), new VarianceScaling(0.02, FanMode.In, WeightDistribution.Normal));
        Finding finding = Assert.Single(SickNetworks.Run(model).Findings.Flat(), finding => finding.Rule == "FTH001");

        Assert.DoesNotContain(finding.RuledOut, rival => rival.StartsWith("saturation", StringComparison.Ordinal));
        Assert.Contains(finding.RuledOut, rival => rival.StartsWith("numerical failure: the loss is finite", StringComparison.Ordinal));
        Assert.Matches("dense_1 to dense_[0-9]+ \\([0-9]+ layers\\) would move by 0[.0-9]* % of their weights in the run \\(limit 1 %\\)", finding.Explanation);
    }

    [Fact]
    public void ARateThatIsTooLargeIsToldFromExplosionOverDepth()
    {
        ModelDefinition deep = SickNetworks.Chain(3, net => net.Tanh(), VarianceScaling.XavierNormal, rate: 300);
        Finding finding = Assert.Single(SickNetworks.Run(deep).Findings.Flat(), finding => finding.Rule == "FTH002");
        Assert.Equal(Causes.LearningRateTooLarge, finding.Cause);
        Assert.Contains("Lower the learning rate (300)", finding.Action);

        // Two layers have no line over depth, and so nothing is ruled out by one.
        ModelDefinition shallow = SickNetworks.Chain(1, net => net.Tanh(), VarianceScaling.XavierNormal, rate: 300);
        finding = Assert.Single(SickNetworks.Run(shallow).Findings.Flat(), finding => finding.Rule == "FTH002");
        Assert.Equal((Causes.LearningRateTooLarge, 0), (finding.Cause, finding.RuledOut.Length));
    }

    private static string[] Errors(RunOutcome outcome) =>
        [.. outcome.Findings.Where(finding => finding.Severity == Severity.Error).Select(finding => $"{finding.Rule} {finding.Explanation}")];
}
