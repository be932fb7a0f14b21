using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The network is sure of nearly every training row, and for some of them sure of another class than the label: these rows hold the loss up. Networks
/// learn what the rows have in common before they learn wrong labels by heart (Arpit et al. 2017), so that the rows of high loss are the suspicious ones.
/// </summary>
public sealed class LabelNoise : Rule
{
    /// <summary>Rows looked at.</summary>
    private const int Rows = 512;

    /// <summary>Share of the rows that the network is sure of another class for.</summary>
    private const double Least = 0.03, Most = 0.4;

    /// <summary>Probability of a class that the network is sure of.</summary>
    private const double Sure = 0.7;

    /// <summary>Rows that it is sure of the label for, and rows that it is not sure of, per row with another class.</summary>
    private const double Learnt = 2, Unsure = 1;

    /// <summary>
    /// Mean probability of the likeliest class over the share of rows that it is right for, less 1, per row with another class: at the bottom of its valley a network
    /// is as sure as it is right; one that is too sure of everything is wrong by itself.
    /// </summary>
    private const double TooSure = 0.3;

    private const double Start = 0.3;

    /// <summary>Inspections between two looks at the rows.</summary>
    private const int Every = 8;

    public override string Id => "FTH062";

    public override string Problem => "labels look wrong";

    public override string Threshold => "after 30 % of the run, with a loss that has stopped falling, the network gives another class than the label a probability of 0.7 or more for 3 % to 40 % of 512 training rows, is as sure of the label for twice as many, is unsure of no more, and is as sure on the whole as it is right, up to 30 % of that share";

    public override int Persistence => 2;

    public override Finding? Inspect(Observation observation)
    {
        bool worthIt = observation.Progress >= Start && observation.Losses.Since(0.5) > 0.85 && observation.Loss < 0.9 * observation.ReferenceLoss && observation.Loss > 0.05 * observation.ReferenceLoss
            && !observation.Open.Any(finding => finding.Severity == Severity.Error);
        if (!worthIt)
        {
            return null;
        }
        // The rows are looked at now and then; in between the last look holds.
        if (observation.Losses.Count % Every == 0 || observation.Certainty is null)
        {
            observation.Certainty = RowCertainty.Measure(observation, Rows, Sure);
        }
        return observation.Certainty is { } rows && rows.Wrong >= Least * rows.Count && rows.Wrong <= Most * rows.Count
            && rows.Right >= Learnt * rows.Wrong && rows.Unsure <= Unsure * rows.Wrong
            && rows.Confidence - rows.Accuracy <= TooSure * rows.Wrong / rows.Count
            ? Describe(observation, rows) : null;
    }

    private Finding Describe(Observation observation, RowCertainty rows)
    {
        double share = (double)rows.Wrong / rows.Count;
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Info,
            Cause = Causes.None,
            Layers = [],
            Step = observation.Step.Step,
            Confidence = 0.7,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("sure_of_another_class", new Evidence(share, Least))
                .Add("unsure", new Evidence((double)rows.Unsure / rows.Count, Unsure * share))
                .Add("share_of_loss", new Evidence(rows.ShareOfLoss, share)),
            Explanation = $"For {Percent(share)} of {rows.Count} training rows the network is sure (p ≥ {Sure}) of another class than the label (limit {Percent(Least)}); they make {Percent(rows.ShareOfLoss)} of the loss, and it is unsure of {Percent((double)rows.Unsure / rows.Count)}.",
            Action = $"Look at the labels of these rows, such as row {string.Join(", ", rows.Examples.Select(row => row + 1))}; the gradient is not to blame.",
            Details = "Rows that are hard by nature lie between classes, and the network is unsure of them. Where it is sure, and for most rows right, the label is the likelier mistake. Training much longer learns such labels by heart.",
            RuledOut = [$"a fault of the gradient: the network is right and sure for {Percent((double)rows.Right / rows.Count)} of the rows"],
        };
    }
}
