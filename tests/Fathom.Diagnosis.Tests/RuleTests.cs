using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

public sealed class RuleTests
{
    [Fact]
    public void DeepSigmoidVanishesAtTheRateThatTheoryExpects()
    {
        Finding finding = Only(SickNetworks.Run(SickNetworks.Vanishing()), "FTH001");

        Assert.Equal(Causes.Vanishing, finding.Cause);
        Assert.Equal(Severity.Error, finding.Severity);
        Assert.Equal("dense_1", finding.Layers[0]);
        Evidence factor = finding.Evidence["gradient_factor_per_layer"];
        Assert.InRange(factor.Measured / factor.Expected, 0.9, 1.1);
        Assert.InRange(factor.Expected, 0.2, 0.25); // √(E[σ'²]) at q between 0 and 0.3, fan-in · Var(w) = 1
        Assert.Contains("theory expects", finding.Explanation);
        Assert.Contains(finding.RuledOut, rival => rival.StartsWith("saturation", StringComparison.Ordinal));
    }

    [Fact]
    public void ANetworkThatIsDeadFromTheStartIsCalledWithinThreePercentOfItsBudget()
    {
        ModelDefinition model = SickNetworks.Vanishing(epochs: 10);
        Finding finding = Only(SickNetworks.Run(model), "FTH001");
        long budget = 10 * ((SickNetworks.Digits.Training.Count + 31) / 32);
        Assert.InRange(finding.Step, 0, 0.03 * budget);
    }

    [Fact]
    public void VanishingIsCalledUnderAdamTooIfTheLossStands()
    {
        ModelDefinition model = SickNetworks.Chain(12, net => net.Sigmoid(), VarianceScaling.XavierNormal, epochs: 8, optimizer: new Adam(0.001));
        Finding finding = Only(SickNetworks.Run(model), "FTH001");
        Assert.Equal(Causes.Vanishing, finding.Cause);
        Assert.Contains("stands where it started", finding.Explanation);
    }

    [Fact]
    public void WeightsOfZeroGiveAFindingThatCanBeWritten()
    {
        ModelDefinition model = SickNetworks.Chain(5, net => net.Relu(), ConstantInitializer.Zeros);
        model = model with { Graph = Graphs.GraphRewriter.Rewrite(model.Graph, (rewriter, node) => node.Op is Dense ? rewriter.Copy(node, initializer: (_, _) => ConstantInitializer.Zeros) : null) };
        RunOutcome outcome = SickNetworks.Run(model);
        Assert.NotEmpty(outcome.Findings);
        Assert.All(outcome.Findings, finding => Assert.InRange(finding.Confidence, 0, 1));
        Assert.All(outcome.Findings, finding => Assert.StartsWith("{", FindingJson.Write(finding)));
    }

    [Fact]
    public void ALearningRateThatIsTooSmallIsNamed()
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6);
        Finding finding = Only(SickNetworks.Run(model), "FTH006");
        Assert.Equal(Causes.LearningRateTooSmall, finding.Cause);
        Assert.True(finding.Evidence["movement_in_whole_run"].Measured < 0.1);
        DoctorReportOf(model, out Fathom.Diagnosis.Repair.DoctorReport report);
        Assert.Contains(report.Trials, trial => trial.Name.StartsWith("learning rate", StringComparison.Ordinal));
    }

    /// <summary>Behind dead units there is no gradient, and no rate makes a step of that.</summary>
    [Fact]
    public void DeadUnitsAreNoLearningRateThatIsTooSmall()
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, bias: new ConstantInitializer(-100));
        Finding[] found = [.. SickNetworks.Run(model).Findings.Flat()];
        Assert.Contains(found, finding => finding.Rule == "FTH004" && finding.Severity == Severity.Error);
        Assert.DoesNotContain(found, finding => finding.Rule == "FTH006");
    }

    /// <summary>A step that float32 loses in rounding gives no ratio by which to raise the rate.</summary>
    [Fact]
    public void StepsLostInRoundingAreALearningRateThatIsTooSmall()
    {
        Finding finding = Only(SickNetworks.Run(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-15)), "FTH006");
        Assert.StartsWith("Every step is lost in rounding", finding.Explanation);
        Assert.StartsWith("Raise the learning rate (1e-15), say to", finding.Action);
    }

    /// <summary>At a healthy share per step it is the run that is short, and no rate that should be raised.</summary>
    [Fact]
    public void AShortRunIsNoLearningRateThatIsTooSmall()
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-2);
        model = model with { Plan = model.Plan with { Optimizer = new Adam(2e-3), BatchSize = TrainingPlan.FullBatch, Epochs = 4 } };
        Assert.DoesNotContain(SickNetworks.Run(model).Findings, finding => finding.Rule == "FTH006");
    }

    /// <summary>Fixup's zeros let no gradient through in the first steps; that is how it is meant, and says nothing of depth or rate.</summary>
    [Fact]
    public void BranchesThatBeginAtZeroAreNoVanishingGradient()
    {
        NetworkCursor stem = Network.Input(64).Dense(32, VarianceScaling.HeNormal);
        Graph graph = new Graphs.Initialization.Fixup().Apply(stem.Repeat(8, net => net.Residual(branch => branch.Dense(32).Relu().Dense(32)).Relu()).Dense(10).Build());
        List<Finding> found = [];
        using WatchedRun run = new(new ModelDefinition("fixup", graph, new TrainingPlan { Loss = new Training.Losses.CrossEntropy(), Optimizer = new Sgd(0.05, 0.9), BatchSize = 32, Epochs = 1 }), SickNetworks.Digits);
        run.Monitor.Found += found.Add;
        run.Advance();
        Assert.DoesNotContain(found, finding => finding.Rule is "FTH001" or "FTH006");
    }

    [Fact]
    public void WeightsThatAreTooLargeExplodeOverDepth()
    {
        ModelDefinition model = SickNetworks.Chain(15, net => net.Relu(), new VarianceScaling(16, FanMode.In, WeightDistribution.Normal), rate: 1e-3);
        RunOutcome outcome = SickNetworks.Run(model);

        // The weights are the root, the explosion what they bring about.
        Finding finding = Assert.Single(outcome.Findings, finding => finding.Severity == Severity.Error);
        Assert.Equal(("FTH034", Causes.BadInitialization), (finding.Rule, finding.Cause));
        Assert.Contains(finding.Consequences, effect => effect.Cause == Causes.Exploding);
    }

    [Fact]
    public void ALearningRateThatIsTooLargeIsNamed()
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Tanh(), VarianceScaling.XavierNormal, rate: 300);
        RunOutcome outcome = SickNetworks.Run(model);

        Assert.Contains(outcome.Findings, finding => finding.Cause == Causes.LearningRateTooLarge && finding.Severity == Severity.Error);
    }

    [Fact]
    public void LargeWeightsSaturateTanh()
    {
        ModelDefinition model = SickNetworks.Chain(4, net => net.Tanh(), new NormalInitializer(0, 3), rate: 0.001);
        Finding finding = Assert.Single(SickNetworks.Run(model).Findings.Flat(), finding => finding.Rule == "FTH003");

        Assert.Equal(Causes.Saturation, finding.Cause);
        Evidence share = finding.Evidence["saturated_share"];
        Assert.InRange(share.Measured, 0.5, 1);
        Assert.InRange(share.Measured / share.Expected, 0.8, 1.25);
        Assert.Contains("tanh_1", finding.Layers);
    }

    [Fact]
    public void SunkenBiasesKillRelus()
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.01, bias: new ConstantInitializer(-8));
        Finding finding = Assert.Single(SickNetworks.Run(model).Findings.Flat(), finding => finding.Rule == "FTH004");

        Assert.Equal(Causes.DeadRelu, finding.Cause);
        Assert.Equal("relu_1 relu_2 relu_3", string.Join(" ", finding.Layers));
        Assert.Equal(1, finding.Evidence["dead_share"].Measured);
    }

    /// <summary>Layers that get nothing but zeros give zeros too; only the one that sends them is to blame.</summary>
    [Fact]
    public void TheFirstDeadLayerIsToBlameAndNotThoseBehindIt()
    {
        ModelDefinition model = SickNetworks.HealthyRelu() with
        {
            Graph = Network.Input(64).Dense(32, VarianceScaling.HeNormal).Relu().Dense(32, VarianceScaling.HeNormal, new ConstantInitializer(-100)).Relu()
                .Repeat(3, net => net.Dense(32, VarianceScaling.HeNormal).Relu()).Dense(10).Build(),
        };
        Finding finding = Assert.Single(SickNetworks.Run(model).Findings.Flat(), finding => finding.Rule == "FTH004");

        Assert.Equal("relu_2", Assert.Single(finding.Layers));
        Assert.Contains("the 3 layers behind it get nothing but zeros", finding.Explanation);
    }

    [Xunit.Theory]
    [InlineData(0.0)]
    [InlineData(0.3)]
    public void UnitsThatBeginEqualAreNamed(double weight)
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Tanh(), new ConstantInitializer(weight), epochs: 8);
        Finding finding = Only(SickNetworks.Run(model), "FTH030");

        Assert.Equal(Causes.BadInitialization, finding.Cause);
        Assert.Equal("dense_1 dense_2 dense_3", string.Join(' ', finding.Layers)); // the last layer's units differ: so do their classes
    }

    [Fact]
    public void StepsThatStayLargeAreNamedThoughSomethingIsLearnt()
    {
        ModelDefinition model = SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 10, optimizer: new Adam(0.3, Beta1: 0.1, Beta2: 0.1));
        RunOutcome outcome = SickNetworks.Run(model);

        Assert.Contains(outcome.Findings, finding => finding is { Severity: Severity.Error, Cause: Causes.LearningRateTooLarge });
    }

    [Fact]
    public void DecayThatOutweighsTheLossIsNoLearningRate()
    {
        // Steps are large beside weights that have shrunk to nothing.
        ModelDefinition model = SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 10, optimizer: new Sgd(0.05, 0.9, WeightDecay: 0.3));
        RunOutcome outcome = SickNetworks.Run(model);
        Finding finding = Only(outcome, "FTH033");

        Assert.InRange(finding.Evidence["weights_over_initial"].Measured, 0, 0.32);
        Assert.DoesNotContain(outcome.Findings.Flat(), other => other.Cause == Causes.LearningRateTooLarge);
    }

    [Fact]
    public void ANetworkThatDoesNotLearnForNoMeasuredReasonIsAWarningThatSaysWhatWasRuledOut()
    {
        Graph network = Network.Input(8).Dense(4, VarianceScaling.HeNormal).Relu().Dense(1, VarianceScaling.XavierNormal).Build();
        Finding finding = Assert.Single(FaultyData.Run(FaultyData.Model(network, new Sgd(0.05), epochs: 30, batch: 16), FaultyData.Regression()).Findings, finding => finding.Rule == "FTH032");

        Assert.Equal((Severity.Warning, Causes.Other), (finding.Severity, finding.Cause));
        Assert.True(finding.RuledOut.Length >= 8, string.Join('|', finding.RuledOut));
    }

    [Fact]
    public void WhatUnscaledInputsBringAboutIsNoFindingOfItsOwn()
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 5);
        Training.Data.DataSet Bytes(Training.Data.DataSet data) => Training.Data.DataSet.OfLabels("bytes", data.RowShape, [.. data.Inputs.ToArray().Select(x => 2550 * x)], data.Labels.ToArray(), data.Classes);
        using WatchedRun run = new(model, new Training.Data.DataSplit(Bytes(SickNetworks.Digits.Training), Bytes(SickNetworks.Digits.Validation)));
        run.Advance();

        Finding finding = Assert.Single(run.Outcome().Findings, finding => finding.Severity == Severity.Error);
        Assert.Equal(Causes.UnscaledInput, finding.Cause);
        Assert.Contains(finding.Consequences, effect => effect.Cause == Causes.Saturation);
        Finding read = FindingJson.Read(System.Text.Json.Nodes.JsonNode.Parse(FindingJson.Write(finding)));
        Assert.Equal(finding.Consequences.Select(effect => effect.Rule), read.Consequences.Select(effect => effect.Rule));
    }

    [Fact]
    public void TheFirstNonFiniteValueIsTracedToTheOpThatMadeIt()
    {
        ModelDefinition model = SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e30);
        RunOutcome outcome = SickNetworks.Run(model);

        Assert.Equal(RunStatus.Diverged, outcome.Status);
        Finding finding = Assert.Single(outcome.Findings, finding => finding.Rule == "FTH005");
        // Step 0 is finite and throws the weights to about 1e28; in step 1 their products overflow in the second layer.
        Assert.Equal(1, finding.Step);
        Assert.Equal("dense_2", finding.Layers[0]);
        Assert.Contains("dense_2 (dense)", finding.Explanation);
        Assert.Contains("relu_1 (largest", finding.Details);
    }

    [Theory]
    [InlineData("relu")]
    [InlineData("tanh")]
    [InlineData("adam")]
    [InlineData("residual")]
    [InlineData("sigmoid")]
    public void HealthyNetworksRaiseNoAlarm(string kind)
    {
        ModelDefinition model = kind switch
        {
            "relu" => SickNetworks.HealthyRelu(),
            "tanh" => SickNetworks.Chain(5, net => net.Tanh(), VarianceScaling.XavierNormal),
            "adam" => SickNetworks.Chain(4, net => net.Relu(), VarianceScaling.HeNormal, optimizer: new Adam()),
            "sigmoid" => SickNetworks.Chain(1, net => net.Sigmoid(), VarianceScaling.XavierNormal, rate: 0.5),
            _ => SickNetworks.HealthyRelu() with
            {
                Graph = Network.Input(64).Dense(32).Repeat(6, net => net.Add(net.Dense(32).Tanh())).Dense(10).Build(),
            },
        };
        RunOutcome outcome = SickNetworks.Run(model);

        Assert.Equal([], outcome.Findings.Select(finding => $"{finding.Rule} {finding.Explanation}"));
        Assert.True(outcome.Validation.Metric > 0.75, $"{kind} reached {outcome.Validation.Metric}");
    }

    [Fact]
    public void EveryRuleHasAPageThatStatesItsThreshold()
    {
        foreach (Rules.Rule rule in Rules.RuleCatalog.All)
        {
            string page = File.ReadAllText(Path.Combine(Fathom.Testing.RepositoryFiles.Root, "docs", "rules", rule.Id + ".md"));
            Assert.StartsWith($"# {rule.Id}: {rule.Problem}\n", page);
            Assert.Contains($"**Threshold.** {rule.Threshold}.", page);
        }
        Assert.Equal(Rules.RuleCatalog.All.Count, Rules.RuleCatalog.All.Select(rule => rule.Id).Distinct().Count());
    }

    private static void DoctorReportOf(ModelDefinition model, out Fathom.Diagnosis.Repair.DoctorReport report)
    {
        using Compute.WorkerPool pool = new(2);
        report = new Fathom.Diagnosis.Repair.Doctor(SickNetworks.Digits, pool, new Fathom.Diagnosis.Repair.DoctorOptions { Seeds = 1 }).Examine(model);
    }

    private static Finding Only(RunOutcome outcome, string rule)
    {
        Finding finding = Assert.Single(outcome.Findings, finding => finding.Severity == Severity.Error);
        Assert.Equal(rule, finding.Rule);
        return finding;
    }
}
