using System.Collections.Immutable;
using Fathom.Diagnosis.Audit;

namespace Fathom.Diagnosis.Causation;

/// <summary>
/// Joins what the audit and the first batch show before training, as <see cref="CauseChain"/> joins what training shows: inputs
/// of 0 to 255 saturate the first layer, whose gradient then vanishes over depth. Fewer links hold than in training, since
/// nothing has moved yet: a wrong output, for one, can make the first step too long, but cannot change how the gradient
/// falls from layer to layer.
/// </summary>
public static class PreflightChain
{
    /// <summary>What each cause can bring about in the first pass and step, in the order from cause to symptom.</summary>
    private static readonly (string Cause, ImmutableArray<string> Effects)[] Order =
    [
        (Causes.WrongOutputOrLoss, [Causes.WrongOutputOrLoss, Causes.LearningRateTooLarge, Causes.LearningRateTooSmall, Causes.Numerical]),
        (Causes.UnscaledInput, [Causes.Saturation, Causes.DeadRelu, Causes.LearningRateTooLarge, Causes.Numerical]),
        (Causes.BadInitialization, [Causes.Saturation, Causes.DeadRelu, Causes.Vanishing, Causes.Exploding, Causes.LearningRateTooLarge, Causes.Numerical]),
        (Causes.Exploding, [Causes.LearningRateTooLarge, Causes.Numerical]),
        (Causes.Saturation, [Causes.Vanishing]),
        (Causes.DeadRelu, [Causes.Vanishing, Causes.BadInitialization]),
        (Causes.Vanishing, []),
    ];

    /// <summary>Rules that say what is seen, not why: they explain nothing.</summary>
    private static readonly ImmutableArray<string> Symptoms = ["FTH007", "FTH009"];

    /// <summary>The findings, causes first, each with what it has brought about; a cause is as severe as its worst effect.</summary>
    /// <param name="audit">What model and data show: causes, but effects of nothing.</param>
    /// <param name="preflight">What theory and the first batch show.</param>
    public static ImmutableArray<Finding> Link(IEnumerable<Finding> audit, IEnumerable<Finding> preflight)
    {
        List<Finding> roots = [.. audit];
        foreach (Finding finding in preflight.OrderBy(Rank).ThenByDescending(finding => finding.Confidence))
        {
            int at = finding.Severity == Severity.Info ? -1 : roots.FindIndex(root => root.Severity > Severity.Info && root.Consequences.Prepend(root).Any(cause => Explains(cause, finding)));
            if (at < 0)
            {
                roots.Add(finding);
            }
            else
            {
                Finding root = roots[at];
                roots[at] = root with { Consequences = root.Consequences.Add(finding), Severity = root.Severity > finding.Severity ? root.Severity : finding.Severity };
            }
        }
        return [.. roots.OrderByDescending(finding => finding.Severity)];
    }

    private static bool Explains(Finding cause, Finding effect) =>
        !Symptoms.Contains(cause.Rule) && cause.Rule != effect.Rule && (SaysWhatIsBad(cause) && effect.Cause == cause.Cause || Order.Any(item => item.Cause == cause.Cause && item.Effects.Contains(effect.Cause)));

    /// <summary>Whether it says what about the initialization is bad, where others only see that it is.</summary>
    private static bool SaysWhatIsBad(Finding finding) => finding.Rule is InitialWeights.RuleId or InitialBiases.RuleId;

    private static int Rank(Finding finding)
    {
        int rank = Symptoms.Contains(finding.Rule) ? -1 : Array.FindIndex(Order, item => item.Cause == finding.Cause);
        return rank < 0 ? Order.Length : rank;
    }
}
