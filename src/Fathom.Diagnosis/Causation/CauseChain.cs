using System.Collections.Immutable;
using Fathom.Diagnosis.Audit;
using Fathom.Diagnosis.Rules;

namespace Fathom.Diagnosis.Causation;

/// <summary>
/// Joins findings of one run into one with its consequences: inputs of 0 to 255 saturate the first layer, and its gradient
/// vanishes; that is one fault, not three. What comes first in the order of causes explains what comes after it.
/// </summary>
public static class CauseChain
{
    /// <summary>Stands for <see cref="WeightDecayDominates"/>, whose cause has no word of its own.</summary>
    private const string Decay = "decay";

    /// <summary>Stands for settings that leave nothing of the gradient, whose cause has no word of its own either.</summary>
    private const string Starved = "starved";

    /// <summary>Stand for <see cref="LinearNetwork"/>, <see cref="HeavyDropout"/>, <see cref="HiddenSoftmax"/> and <see cref="NarrowLayer"/>.</summary>
    private const string NoFunction = "no function", Dropped = "dropped", Squashed = "squashed", Narrow = "narrow";

    /// <summary>Stand for <see cref="InitialWeights"/>, whose effects depend on the direction.</summary>
    private const string LargeWeights = "large weights", SmallWeights = "small weights";

    /// <summary>What each cause can bring about, itself not among it.</summary>
    private static readonly Dictionary<string, ImmutableArray<string>> Effects = new()
    {
        [Decay] = [Causes.Vanishing, Causes.DeadRelu, Causes.LearningRateTooLarge, Causes.LearningRateTooSmall, Causes.Other],
        [Causes.WrongOutputOrLoss] = [Causes.LearningRateTooSmall, Causes.Saturation, Causes.DeadRelu, Causes.Vanishing, Causes.Exploding, Causes.LearningRateTooLarge, Causes.Numerical, Causes.Other],
        [Causes.UnscaledInput] = [Causes.Saturation, Causes.DeadRelu, Causes.Vanishing, Causes.Exploding, Causes.LearningRateTooLarge, Causes.LearningRateTooSmall, Causes.Numerical, Causes.Other],
        [NoFunction] = [Causes.LearningRateTooLarge, Causes.LearningRateTooSmall, Causes.Other],
        [Dropped] = [Causes.LearningRateTooSmall, Causes.DeadRelu, Causes.Vanishing, Causes.Numerical, Causes.Other],
        [Squashed] = [Causes.Vanishing, Causes.Saturation, Causes.LearningRateTooLarge, Causes.LearningRateTooSmall, Causes.Other],
        [Narrow] = [Causes.DeadRelu, Causes.Vanishing, Causes.LearningRateTooLarge, Causes.LearningRateTooSmall, Causes.Other],
        [LargeWeights] = [Causes.BadInitialization, Causes.Saturation, Causes.DeadRelu, Causes.Vanishing, Causes.Exploding, Causes.LearningRateTooLarge, Causes.Numerical, Causes.Other],
        [SmallWeights] = [Causes.BadInitialization, Causes.DeadRelu, Causes.Vanishing, Causes.Other],
        [Causes.BadInitialization] = [Causes.Saturation, Causes.DeadRelu, Causes.Vanishing, Causes.Exploding, Causes.LearningRateTooLarge, Causes.LearningRateTooSmall, Causes.Numerical, Causes.Other],
        [Causes.LearningRateTooLarge] = [Causes.DeadRelu, Causes.Saturation, Causes.Vanishing, Causes.LearningRateTooSmall, Causes.Numerical, Causes.Other],
        [Causes.Exploding] = [Causes.DeadRelu, Causes.Saturation, Causes.Numerical, Causes.Other],
        [Starved] = [Causes.LearningRateTooSmall, Causes.Vanishing, Causes.Other],
        [Causes.Saturation] = [Causes.Vanishing, Causes.LearningRateTooSmall, Causes.Other],
        [Causes.DeadRelu] = [Causes.Vanishing, Causes.LearningRateTooSmall, Causes.Other],
        [Causes.Vanishing] = [Causes.LearningRateTooSmall, Causes.Other],
    };

    /// <summary>Causes in their own right that a look at model and data finds before training, even as a warning.</summary>
    private static readonly ImmutableArray<string> Roots = [Causes.WrongOutputOrLoss, Causes.UnscaledInput, Causes.BadInitialization];

    /// <summary>
    /// The findings of a run, those that another one explains put behind it as <see cref="Finding.Consequences"/>.
    /// </summary>
    /// <param name="before">What was found before training, warnings included.</param>
    /// <param name="during">What training has shown.</param>
    public static ImmutableArray<Finding> Link(IEnumerable<Finding> before, IEnumerable<Finding> during)
    {
        Finding[] measured = [.. during];
        Finding? sick = measured.Where(finding => finding.Severity == Severity.Error).MinBy(finding => finding.Step);
        List<Finding> open = [.. measured];
        foreach (Finding early in before.Where(finding => finding.Severity != Severity.Info))
        {
            // What looked wrong beforehand is the cause once training shows that the network is sick of it, and no more than
            // a warning as long as the network learns in spite of it.
            bool proven = sick is not null && (Roots.Contains(early.Cause) || KindOf(early) is Dropped or Squashed or Narrow) && Explains(early, sick);
            open.Add(Calibration.Apply(IsCertain(early) ? early : early with { Severity = proven ? Severity.Error : Severity.Warning, Step = proven ? sick!.Step : early.Step }));
        }
        List<Finding> linked = [];
        foreach (Finding root in open.Where(finding => finding.Severity == Severity.Error).OrderBy(Rank).ThenBy(NamesAnothersCause).ThenByDescending(finding => finding.Confidence))
        {
            int at = linked.FindIndex(other => Explains(other, root) || other.Consequences.Any(effect => Explains(effect, root)));
            if (at < 0)
            {
                linked.Add(root);
            }
            else
            {
                linked[at] = linked[at] with { Consequences = linked[at].Consequences.Add(root), Step = Math.Min(linked[at].Step, root.Step) };
            }
        }
        foreach (Finding warning in open.Where(finding => finding.Severity == Severity.Warning).OrderBy(Rank).ThenBy(finding => finding.Step))
        {
            int at = linked.FindIndex(other => Warns(other, warning) || other.Consequences.Any(effect => Warns(effect, warning)));
            if (at < 0)
            {
                linked.Add(warning);
            }
            else
            {
                linked[at] = linked[at] with { Consequences = linked[at].Consequences.Add(warning) };
            }
        }
        return [.. linked.Concat(open.Where(finding => finding.Severity == Severity.Info)).OrderByDescending(finding => finding.Severity).ThenBy(finding => finding.Severity == Severity.Error ? 0 : finding.Step)];
    }

    /// <summary>
    /// Whether a warning is a consequence. <see cref="Causes.Other"/> and <see cref="Causes.None"/> are no causes but the want of a word for one: what bears
    /// them has nothing in common by that, and is explained by a cause that is known alone.
    /// </summary>
    private static bool Warns(Finding cause, Finding effect) =>
        cause.Severity >= Severity.Warning && effect.Step >= 0 && (!IsSuspicion(cause) || cause.Cause == effect.Cause) && effect.Cause is not (Causes.Other or Causes.None) && Explains(cause, effect);

    private static bool Explains(Finding cause, Finding effect) =>
        cause.Rule != effect.Rule && (cause.Cause == effect.Cause || IsSuspicion(effect) && (cause.Severity == Severity.Error || SaysWhatFails(cause))
            || (Effects.TryGetValue(KindOf(cause), out ImmutableArray<string> effects) && effects.Contains(effect.Cause)));

    /// <summary>
    /// Whether arithmetic says beforehand that the network must fail, whatever training does: targets beyond what the output can give leave at best an R²
    /// that falls short of a perfect one by 0.15, which is what a sick network is in bench/corpus; and a linear network learns what is linear.
    /// </summary>
    internal static bool IsCertain(Finding early) => early.Severity == Severity.Error && (early.Rule == LinearNetwork.RuleId || early.IsFinal && Roots.Contains(early.Cause)
        || early.Rule == TargetOutOfRange.RuleId && early.Evidence.TryGetValue(TargetOutOfRange.BestFit, out Evidence best) && best.Measured <= 0.85);

    /// <summary>What was odd about the start, though it was no more than a warning: where the network then does not learn, that is why. Each such network of bench/corpus that fell short was healed by another start.</summary>
    private static bool SaysWhatFails(Finding early) => early.Step < 0 && (KindOf(early) is Dropped or Squashed or Narrow || early.Rule is InitialWeights.RuleId or InitialBiases.RuleId);

    /// <summary>That a network does not learn follows from whatever else is wrong with it; what that rule suspects counts only where no other speaks.</summary>
    private static bool IsSuspicion(Finding finding) => finding.Rule is NotLearning.RuleId or FallsShort.RuleId;

    private static string KindOf(Finding finding) => finding.Rule switch
    {
        WeightDecayDominates.RuleId => Decay,
        ClippingDominates.RuleId or EpsilonFloor.RuleId when finding.Cause == Causes.Other => Starved,
        LinearNetwork.RuleId => NoFunction,
        HeavyDropout.RuleId => Dropped,
        HiddenSoftmax.RuleId => Squashed,
        NarrowLayer.RuleId => Narrow,
        InitialWeights.RuleId => finding.Evidence[InitialWeights.Ratio].Measured > 1 ? LargeWeights : SmallWeights,
        _ => finding.Cause,
    };

    /// <summary>A vanishing gradient that comes of dead or saturated units stands behind the finding that is about these.</summary>
    private static bool NamesAnothersCause(Finding finding) => finding.Rule == VanishingGradient.RuleId && finding.Cause != Causes.Vanishing;

    private static int Rank(Finding finding)
    {
        int rank = Effects.Keys.ToList().IndexOf(KindOf(finding));
        return IsSuspicion(finding) ? Effects.Count + 1 : rank < 0 ? Effects.Count : rank;
    }
}
