using System.Collections.Immutable;
using Fathom.Diagnosis.Remedies;
using Fathom.Diagnosis.Repair;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Repair;

/// <summary>What is tried, and in which order.</summary>
public sealed class CandidatesTests
{
    private static readonly ModelDefinition LargeEpsilon = SickNetworks.HealthyRelu() with { Plan = SickNetworks.HealthyRelu().Plan with { Optimizer = new Adam { LearningRate = 1e-3, Epsilon = 10 } } };

    /// <summary>Usual settings of an optimizer that is then replaced are the replacement alone.</summary>
    [Fact]
    public void TwoWaysToOneNetworkAreOneCandidate()
    {
        Candidates candidates = For(LargeEpsilon, Found("", Causes.Other, "optimizer_settings", "optimizer", "learning_rate"));
        List<Trial> singles = candidates.Singles(), pairs = candidates.Pairs(singles, 50);

        string replaced = Assert.Single(singles, trial => trial.Name.Contains("sgd", StringComparison.Ordinal)).Name;
        Assert.Contains(pairs, trial => trial.Name.Contains(replaced, StringComparison.Ordinal));
        string[] networks = [.. singles.Concat(pairs).Select(trial => JournalKey.OfModel(candidates.Apply(trial.Remedies)))];
        Assert.Equal(networks.Length, networks.Distinct().Count());
        Assert.DoesNotContain(JournalKey.OfModel(LargeEpsilon), networks);
        Assert.Equal(singles.Select(trial => trial.Name), candidates.Singles().Select(trial => trial.Name)); // asked again, the same
    }

    /// <summary>Where steps that are too long saturate the units, their length is seen to first, whatever the rule would do for units that saturate by themselves.</summary>
    [Xunit.Theory]
    [InlineData(Causes.LearningRateTooLarge, "learning_rate")]
    [InlineData(Causes.Saturation, "activation")]
    public void WhatTheCauseAsksForComesFirst(string cause, string kind)
    {
        ModelDefinition model = SickNetworks.Chain(6, net => net.Tanh(), VarianceScaling.XavierNormal, rate: 0.1, epochs: 2);
        Candidates candidates = For(model, Found("FTH001", cause, "activation", "initialization", "learning_rate"));
        Assert.Equal(kind, candidates.Singles()[0].Remedies[0].Remedy.Kind);
    }

    /// <summary>A warning that steps are too long is heeded among the first candidates, not after all that the error names.</summary>
    [Fact]
    public void AWarningOfStepsThatAreTooLongIsHeededEarly()
    {
        ModelDefinition model = SickNetworks.Chain(6, net => net.Tanh(), VarianceScaling.XavierNormal, rate: 0.1, epochs: 2);
        Candidates candidates = For(model, Found("FTH001", Causes.Saturation, "activation", "initialization", "batch_norm", "residual", "optimizer"), Found("FTH003", Causes.LearningRateTooLarge, "initialization", "learning_rate") with { Severity = Severity.Warning });
        Assert.Equal("learning_rate", candidates.Singles()[1].Remedies[0].Remedy.Kind);
        Assert.False(candidates.StepsWereTooLong); // that takes an error
    }

    /// <summary>Nobody sees in a short run what the rate does at the end of a long one.</summary>
    [Fact]
    public void AFallLateInTheRunIsNoCandidateByItself()
    {
        Candidates candidates = For(SickNetworks.HealthyRelu(), Found("FTH031", Causes.LearningRateTooLarge, "learning_rate", "optimizer", "rate_decay", "clip_norm"));
        List<Trial> singles = candidates.Singles();
        Assert.NotEmpty(singles);
        Assert.DoesNotContain(singles.Concat(candidates.Pairs(singles, 20)).SelectMany(trial => trial.Remedies), part => part.Remedy.Kind == "rate_decay");
    }

    /// <summary>Whatever was found, and though no rule names them.</summary>
    [Fact]
    public void WhatHelpsMostNetworksIsTriedToo()
    {
        Candidates candidates = For(SickNetworks.Vanishing(), Found("FTH032", Causes.LearningRateTooLarge, "learning_rate", "optimizer"));
        Assert.DoesNotContain(candidates.Singles(), trial => trial.Remedies[0].Remedy.Kind is "activation" or "batch_norm");
        string[] kinds = [.. candidates.General().Select(trial => Assert.Single(trial.Remedies).Remedy.Kind).Order()];
        Assert.Equal(["activation", "batch_norm", "batch_size", "fewer_layers"], kinds);
    }

    /// <summary>At the very end of a search that has found nothing.</summary>
    [Fact]
    public void OtherRatesAreCandidatesWhateverWasFound()
    {
        Candidates candidates = For(SickNetworks.Vanishing(), Found("FTH001", Causes.Vanishing, "activation"));
        double[] rates = [.. candidates.Rates().Select(trial => candidates.Apply(trial.Remedies).Plan.Optimizer.LearningRate)];
        Assert.Contains(rates, rate => rate < 0.1);
        Assert.Contains(rates, rate => rate > 0.1);
    }

    /// <summary>A large ε hides that the rate is small, too: where steps were found to be too short, the usual settings are tried with a larger one.</summary>
    [Fact]
    public void UsualSettingsGoWithLongerStepsWhereTheyWereTooShort()
    {
        Assert.Equal([1e-3, 3e-3], Rates(Found("FTH053", Causes.Other, "optimizer_settings"), Found("FTH006", Causes.LearningRateTooSmall, "learning_rate")));
        Assert.Equal([1e-3], Rates(Found("FTH053", Causes.Other, "optimizer_settings")));

        static double[] Rates(params Finding[] findings) =>
            [.. For(LargeEpsilon, findings).Singles().Where(trial => trial.Remedies[0].Remedy is OptimizerSettings).Select(trial => trial.Remedies[0].Rewrite(LargeEpsilon).Plan.Optimizer.LearningRate).Order()];
    }

    [Fact]
    public void SettingsThatAreAFaultAreSeenInWhatACureLeaves()
    {
        Candidates candidates = For(LargeEpsilon, Found("FTH053", Causes.Other, "optimizer_settings"));
        Prescription usual = candidates.Singles().First(trial => trial.Remedies[0].Remedy is OptimizerSettings).Remedies[0], other = candidates.General()[0].Remedies[0];
        Assert.True(candidates.LeavesSettings([other]));
        Assert.False(candidates.LeavesSettings([usual]));
        Assert.True(candidates.IsNamed(new Trial { Remedies = [usual], PredictedDecades = 0 }));
        Assert.False(candidates.IsNamed(new Trial { Remedies = [usual, other], PredictedDecades = 0 }));
    }

    private static Candidates For(ModelDefinition model, params Finding[] findings) =>
        new(model, new CaseHistory([.. findings]) { Data = SickNetworks.Digits.Training }, SickNetworks.Digits.Training, new SideBySide(2));

    private static Finding Found(string rule, string cause, params string[] remedies) => new()
    {
        Rule = rule, Problem = "", Severity = Severity.Error, Cause = cause, Layers = [], Step = 0, Confidence = 1, Explanation = "", Remedies = [.. remedies],
        Evidence = ImmutableSortedDictionary<string, Evidence>.Empty,
    };
}
