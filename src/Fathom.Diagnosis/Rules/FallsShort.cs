using System.Collections.Immutable;
using Fathom.Diagnosis.Causation;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The network has learnt a part and has come to the end of its run, and knows clearly less of its own rows than a lookup of the five nearest rows, which
/// needs no training: the data can be learnt, and this network with these settings does not learn them. FTH032 is about loss that stays near a constant
/// prediction's; this is about what lies between.
/// </summary>
public sealed class FallsShort : Rule
{
    /// <summary>Share of the run that is its end.</summary>
    private const double End = 0.95;

    /// <summary>Unlearnt share of the loss below which the rows are not looked at.</summary>
    private const double Open = 0.1;

    /// <summary>A loss this far above its least has jumped, which says nothing of what was learnt; as in FTH064.</summary>
    private const double Jumped = 2;

    /// <summary>Loss over that at three quarters of the run, below which it still falls; as in FTH064.</summary>
    private const double Falling = 0.85;

    /// <summary>
    /// Passes over the rows after which a run is not short: a lookup sees each row once. Sound networks that were stopped after 3 to 5 passes are behind it too, and need
    /// no more than time.
    /// </summary>
    private const int Passes = 10;

    private const int LeastInspections = 20;

    internal const string RuleId = "FTH067";

    public override string Id => RuleId;

    public override string Problem => "less learnt than the nearest rows tell";

    public override string Threshold => "the network leaves more of its own training rows than their five nearest rows do: by a tenth of the targets' variance, or by a cross-entropy of 0.14, which errors in a tenth of the rows cost at least (Hellman and Raviv 1970), at the best scale of the outputs, at the end of the run; where the loss still falls, only after ten passes over the rows and if a cause is measured";

    public override Finding? Inspect(Observation observation)
    {
        bool falls = observation.Losses.Since(0.75) < Falling;
        if (observation.Progress < End || observation.Losses.Count < LeastInspections || observation.Layers.Count == 0 || falls && observation.Passes < Passes
            || !(observation.Unlearnt(observation.Losses.Now) > Open) || observation.Losses.Now > Jumped * observation.Losses.Least
            || observation.Open.Any(finding => finding.Severity == Severity.Error && finding.Rule is not (RuleId or NotLearning.RuleId)))
        {
            return null;
        }
        return observation.RowLooks.OfTraining is { IsShort: true } left ? Describe(observation, left, falls) : null;
    }

    private Finding? Describe(Observation observation, RowsLeft left, bool falls)
    {
        Suspicion[] suspects = [Suspects.Fades(observation), .. Suspects.Of(observation), Suspects.Slow(observation), .. Rivals.Of(observation)];
        // Steps that could be three times as long by now are not too long for a loss that falls, whatever the first ones did.
        Suspicion first = suspects.FirstOrDefault(suspect => suspect.Supported && !(falls && observation.CouldBeLonger && suspect is { IsWeak: true, Cause: Causes.LearningRateTooLarge })) ?? Unknown;
        bool other = first.Cause == Causes.Other;
        // Short steps alone are a fault from where FTH006 calls them one: before that the run is short.
        bool needsTime = other || first.Cause == Causes.LearningRateTooSmall
            && (observation.TypicalLogUpdate > LearningRateTooSmall.ShortAtTheEnd || observation.Unlearnt(observation.Losses.Now) < LearningRateTooSmall.HalfWay);
        if (falls && needsTime)
        {
            return null; // nothing speaks against the network but the time it was given: FTH064 has the word
        }
        string amount = left.OfClasses ? $"a cross-entropy of {Number(left.Network)}" : $"{Percent(left.Network)} of the variance", gap = left.OfClasses ? Number(left.Gap) : Percent(left.Gap);
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = first.Cause,
            Layers = first.Layers,
            Step = observation.Step.Step,
            Confidence = other ? 0.6 : 0.75,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add(left.OfClasses ? "cross_entropy_of_rows" : "variance_left", new Evidence(left.Network, left.Neighbours))
                .Add("behind_nearest_rows", new Evidence(left.Gap, left.Limit)),
            Explanation = $"The network leaves {amount} of its own rows, {gap} more than their five nearest rows (limit {(left.OfClasses ? Number(left.Limit) : Percent(left.Limit))}){(other ? "; " : ", most likely because ")}{first.Because}.",
            Action = first.Action,
            Details = string.Join(' ', new[]
            {
                "Up to 400 training rows are asked in evaluation mode, and each is guessed from the five that lie nearest to it, itself left out.",
                left.OfClasses ? "The outputs are scaled by the one factor that suits the labels best, so that being right but unsure does not count." : "",
                first.Details,
            }.Where(text => text.Length > 0)),
            RuledOut = [.. suspects.Where(suspect => !suspect.Supported).Select(suspect => suspect.Because)],
            Remedies = first.Remedies,
        };
    }

    private static Suspicion Unknown { get; } = new(Causes.Other, true, "nothing that is measured stands out", [], ["learning_rate", "optimizer", "initialization", "batch_norm"]) { Action = "Try another learning rate, batch normalization, or more units." };
}
