using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Preflight;
using Fathom.Diagnosis.Remedies;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Optimizers;
using Fathom.Training.Schedules;
using static Fathom.Diagnosis.Tests.CureNetworks;

namespace Fathom.Diagnosis.Tests;

/// <summary>Numbers that remedies take from the run and from the data.</summary>
public sealed class RemedyNumberTests
{
    private static readonly ModelDefinition Sound = SickNetworks.HealthyRelu();

    [Fact]
    public void QuantilesOfNormsAreRightToTheirBins()
    {
        GradientNorms norms = new();
        for (int i = 1; i <= 1000; i++)
        {
            norms.Add(i * 1e-3);
        }
        norms.Add(double.NaN);
        norms.Add(double.PositiveInfinity);
        Assert.Equal((1000, 2), (norms.Count, norms.NonFinite));
        Assert.InRange(norms.Quantile(0.5), 0.5 / 1.16, 0.5 * 1.16);
        Assert.InRange(norms.Quantile(0.1), 0.1 / 1.16, 0.1 * 1.16);
        Assert.InRange(norms.Quantile(1), 1 / 1.16, 1 * 1.16);
        Assert.True(double.IsNaN(new GradientNorms().Quantile(0.5)));
    }

    [Fact]
    public void ARunKnowsItsNorms()
    {
        using WatchedRun run = new(Sound, SickNetworks.Digits);
        List<double> all = [];
        run.Stepped = step => all.Add(step.GradientNorm);
        run.Advance(60);
        all.Sort();
        Assert.Equal(60, run.Outcome().GradientNorms.Count);
        Assert.InRange(run.Outcome().GradientNorms.Quantile(0.5), all[29] / 1.2, all[30] * 1.2);
    }

    [Fact]
    public void TheBoundOfClippingComesFromTheRun()
    {
        GradientNorms norms = new();
        for (int i = 0; i < 100; i++)
        {
            norms.Add(i < 20 ? 0.05 : 40);
        }
        double[] bounds = [.. new ClipGradientNorm().Propose(Sound, new CaseHistory([]) { GradientNorms = norms }).Select(item => ((ClipByGlobalNorm)item.Rewrite(Sound).Plan.Clipping!).MaxNorm)];
        Assert.Equal(1, bounds[0]);
        Assert.InRange(bounds[1], 0.05 / 1.16, 0.05 * 1.16);
        Assert.Single(new ClipGradientNorm().Propose(Sound, new CaseHistory([])));
    }

    [Fact]
    public void ABoundIsReleasedOnlyWhereItStrangles()
    {
        GradientNorms norms = new();
        norms.Add(2);
        CaseHistory history = new([]) { GradientNorms = norms };
        Assert.Empty(new ClippingRelease().Propose(Clipped(Sound, 1), history));
        Prescription[] released = [.. new ClippingRelease().Propose(Clipped(Sound, 0.1), history)];
        Assert.Null(released[0].Rewrite(Sound).Plan.Clipping);
        Assert.InRange(((ClipByGlobalNorm)released[1].Rewrite(Sound).Plan.Clipping!).MaxNorm, 4 / 1.2, 4 * 1.2);
    }

    [Fact]
    public void TheRateFollowsTheRangeTestFirstAndIsAskedOnce()
    {
        int asked = 0;
        CaseHistory history = new([Cure.FindingOf(Causes.LearningRateTooSmall)])
        {
            RangeTest = _ => { asked++; return new LearningRateRange([], 0.2, 0.734, double.NaN, "completed"); },
        };
        ModelDefinition slow = Sound with { Plan = Sound.Plan with { Optimizer = new Sgd(1e-6) } };
        // √(0.2 · 0.734): the middle of what the test suggests.
        Assert.Equal("learning rate 0.38", new LearningRateChange().Propose(slow, history).First().Name);
        Assert.NotEmpty(new LearningRateChange().Propose(slow, history));
        Assert.Equal(1, asked);
    }

    [Fact]
    public void WhereNothingIsKnownRatesGoBothWays()
    {
        CaseHistory history = new([Cure.FindingOf(Causes.LearningRateTooSmall), Cure.FindingOf(Causes.LearningRateTooLarge)]);
        ModelDefinition odd = Sound with { Plan = Sound.Plan with { Optimizer = new Adam(0.003) } };
        double[] rates = [.. new LearningRateChange().Propose(odd, history).Select(item => item.Rewrite(odd).Plan.Optimizer.LearningRate)];
        Assert.Contains(rates, rate => rate > 0.01);
        Assert.Contains(rates, rate => rate < 0.001);
    }

    [Fact]
    public void NoFirstMeanIsASettingAndNoFault()
    {
        ModelDefinition model = Sound with { Plan = Sound.Plan with { Optimizer = new Adam(Beta1: 0) } };
        Assert.Empty(new OptimizerSettings().Propose(model, [Cure.FindingOf(Causes.Other)]));
        Assert.Equal(0.9, ((Adam)new OptimizerSettings().Propose(model, [Cure.FindingOf(Causes.Other, "optimizer_settings")]).First().Rewrite(model).Plan.Optimizer).Beta1);
    }

    [Fact]
    public void TheRateFollowsTheMeasuredStep()
    {
        Finding large = Cure.FindingOf(Causes.LearningRateTooLarge) with
        {
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty.Add("typical_relative_update", new Evidence(0.1, 1e-3)),
        };
        ModelDefinition fast = Sound with { Plan = Sound.Plan with { Optimizer = new Adam(0.3) } };
        Assert.Equal(0.003, new LearningRateChange().Propose(fast, [large]).First().Rewrite(fast).Plan.Optimizer.LearningRate);
    }

    [Fact]
    public void WarmUpIsATenthOfTheRunAtMost()
    {
        ModelDefinition model = Sound with { Plan = Sound.Plan with { Optimizer = new Adam(Beta2: 0.9), Epochs = 100 } };
        long Steps(ModelDefinition given, DataSet? data) => ((WarmupSchedule)new WarmUp().Propose(given, new CaseHistory([]) { Data = data }).Single().Rewrite(given).Plan.Schedule).Steps;
        Assert.Equal(20, Steps(model, SickNetworks.Digits.Training)); // 2/(1 − 0.9)
        long whole = 5 * (SickNetworks.Digits.Training.Count / 32);
        Assert.Equal(whole / 10, Steps(Sound, SickNetworks.Digits.Training));
        Assert.Equal(100, Steps(Sound, null));
    }

    [Fact]
    public void InputsAreScaledByTheTrainingRows()
    {
        DataSplit data = CureData.ScaledDigits(255, 100);
        ModelDefinition mended = new InputScaling().Propose(Sound, new CaseHistory([Cure.FindingOf(Causes.UnscaledInput)]) { Data = data.Training }).First(item => item.Name.StartsWith("inputs ×", StringComparison.Ordinal)).Rewrite(Sound);
        Rescaling scale = (Rescaling)mended.Graph["input_scale"].Op;
        Assert.InRange(scale.Factor * data.Training.Statistics.Mean + scale.Offset, -0.01, 0.01);
        Assert.InRange(scale.Factor * Math.Sqrt(data.Training.Statistics.Variance), 0.99, 1.01);
        Assert.Equal("input_scale", mended.Graph["dense_1"].Inputs[0].Name);
        // A rescaling that is there already, and wrong, gives way.
        ModelDefinition again = new InputScaling().Propose(mended with { Graph = Digits(Fathom.Graphs.Network.Input(64).Rescaling(10).Dense(10)).Graph }, new CaseHistory([]) { Data = data.Training }).First().Rewrite(mended);
        Assert.Single(again.Graph.Nodes, node => node.Op is Rescaling);
    }

    [Fact]
    public void ScaledTargetsTakeTheSameStepsAsStandardizedOnes()
    {
        DataSplit data = CureData.Line(200, 3000);
        ModelDefinition model = Values(Line(), new Sgd(0.05));
        ModelDefinition mended = new TargetScaling().Propose(model, new CaseHistory([]) { Data = data.Training }).Single().Rewrite(model);
        Rescaling scale = (Rescaling)mended.Graph.Output.Node.Op;
        Assert.Equal(Math.Sqrt(data.Training.Statistics.TargetVariance), scale.Factor, scale.Factor * 0.01);
        Assert.Equal(0.05 / (scale.Factor * scale.Factor), mended.Plan.Optimizer.LearningRate, 1e-8);
        Assert.Equal(0.05, new TargetScaling().Propose(model with { Plan = model.Plan with { Optimizer = new Adam(0.05) } }, new CaseHistory([]) { Data = data.Training }).Single().Rewrite(model with { Plan = model.Plan with { Optimizer = new Adam(0.05) } }).Plan.Optimizer.LearningRate);
    }

    [Fact]
    public void ANetworkThatCameFromKerasKeepsKerasOptimizers()
    {
        ModelDefinition model = Sound with { Plan = Sound.Plan with { Optimizer = new KerasRmsProp() } };
        Assert.IsType<KerasAdam>(new AdamOptimizer().Propose(model, new CaseHistory([])).Single().Rewrite(model).Plan.Optimizer);
        Assert.IsType<KerasSgd>(new MomentumOptimizer().Propose(model, new CaseHistory([])).Single().Rewrite(model).Plan.Optimizer);
    }

    [Fact]
    public void WhatIsAFaultInItselfComesFirstThenWhatTheRuleNames()
    {
        Finding finding = Cure.FindingOf(Causes.Vanishing, "optimizer", "activation");
        IReadOnlyList<Remedy> order = RemedyCatalog.For([finding]);
        int Place(string kind) => order.ToList().FindIndex(remedy => remedy.Kind == kind);
        Assert.True(Place("output") < Place("optimizer") && Place("optimizer") < Place("activation") && Place("activation") < Place("residual"));
        Assert.DoesNotContain(order, remedy => remedy.Kind == "clip_norm");
    }

    [Fact]
    public void OverflowBringsAdviceOnPrecision()
    {
        Assert.Empty(RemedyCatalog.Advice(Sound, new CaseHistory([Cure.FindingOf(Causes.Vanishing)])));
        Assert.Contains("bf16", Assert.Single(RemedyCatalog.Advice(Sound, new CaseHistory([Cure.FindingOf(Causes.Numerical)]))));
    }
}
