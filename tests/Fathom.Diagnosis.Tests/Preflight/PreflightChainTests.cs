using System.Collections.Immutable;
using Fathom.Diagnosis.Causation;

namespace Fathom.Diagnosis.Tests.Preflight;

/// <summary>Which finding before training explains which.</summary>
public sealed class PreflightChainTests
{
    [Fact]
    public void ACauseIsAsSevereAsItsWorstEffect()
    {
        Finding root = Assert.Single(PreflightChain.Link([Made("FTH013", Causes.UnscaledInput, Severity.Warning)],
            [Made("FTH001", Causes.Vanishing, Severity.Error), Made("FTH003", Causes.Saturation, Severity.Warning)]));

        Assert.Equal(("FTH013", Severity.Error), (root.Rule, root.Severity));
        Assert.Equal(["FTH003", "FTH001"], root.Consequences.Select(effect => effect.Rule)); // by way of saturation alone
    }

    [Fact]
    public void WithoutSaturationInputsDoNotChangeHowTheGradientFalls()
    {
        ImmutableArray<Finding> found = PreflightChain.Link([Made("FTH013", Causes.UnscaledInput, Severity.Warning)], [Made("FTH001", Causes.Vanishing, Severity.Error)]);

        Assert.Equal([("FTH001", Severity.Error), ("FTH013", Severity.Warning)], found.Select(finding => (finding.Rule, finding.Severity)));
    }

    [Fact]
    public void AWrongOutputDoesNotMakeTheGradientVanishOverDepth()
    {
        ImmutableArray<Finding> found = PreflightChain.Link([Made("FTH010", Causes.WrongOutputOrLoss, Severity.Error)],
            [Made("FTH001", Causes.Vanishing, Severity.Error), Made("FTH008", Causes.LearningRateTooLarge, Severity.Warning)]);

        Assert.Equal(["FTH010", "FTH001"], found.Select(finding => finding.Rule));
        Assert.Equal(["FTH008"], found[0].Consequences.Select(effect => effect.Rule));
    }

    [Fact]
    public void NotesAndSymptomsStandForThemselves()
    {
        ImmutableArray<Finding> found = PreflightChain.Link([Made("FTH018", Causes.Other, Severity.Info), Made("FTH017", Causes.Other, Severity.Warning)],
            [Made("FTH007", Causes.BadInitialization, Severity.Warning), Made("FTH009", Causes.Other, Severity.Info), Made("FTH002", Causes.Exploding, Severity.Error)]);

        Assert.Equal(["FTH002", "FTH017", "FTH007", "FTH018", "FTH009"], found.Select(finding => finding.Rule));
        Assert.All(found, finding => Assert.Empty(finding.Consequences));
    }

    private static Finding Made(string rule, string cause, Severity severity) => new()
    {
        Rule = rule, Problem = rule, Severity = severity, Cause = cause, Layers = [], Step = -1, Confidence = 0.9,
        Evidence = ImmutableSortedDictionary<string, Evidence>.Empty, Explanation = "",
    };
}
