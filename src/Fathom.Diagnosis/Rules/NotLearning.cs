using System.Collections.Immutable;
using Fathom.Diagnosis.Causation;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// A good part of the run is over, the loss is no better than what a constant prediction would have, it is not on its way
/// down, and no other rule is certain of why. The cause is the strongest of the suspicions that the measurements support.
/// </summary>
public sealed class NotLearning : Rule
{
    /// <summary>Share of the run that a network may take to get going.</summary>
    private const double Patience = 0.1;

    /// <summary>Share of a constant prediction's loss above which nothing of use has been learnt; more is asked of a run that is well on.</summary>
    private const double Standing = 0.8, StandingLate = 0.55;

    /// <summary>Share of the run from which on a run is well on.</summary>
    private const double Late = 0.4;

    /// <summary>Share of that level which the loss must not have been below before: then it can fall, and something else has come.</summary>
    private const double Reached = 0.7;

    /// <summary>Loss now over that at half of the steps so far, above which it is not on its way down.</summary>
    private const double Flat = 0.78;

    public override string Id => "FTH032";

    public override string Problem => "the network does not learn";

    public override string Threshold => "after a tenth of the run the loss is above 80 % of a constant prediction's (of its start where that is not known), after two fifths above 55 %, it is above 78 % of what it was at half of the steps so far, and no other rule explains it";

    public override int Persistence => 5;

    public override Finding? Inspect(Observation observation)
    {
        double reference = observation.ReferenceLoss;
        double level = (observation.Progress < Late ? Standing : StandingLate) * reference;
        bool stands = observation.Loss > level && observation.Losses.Since(0.5) > Flat && observation.Losses.Least > Reached * level;
        if (observation.Layers.Count == 0 || observation.Progress < Patience || !stands || observation.Open.Any(finding => finding.Severity == Severity.Error && finding.Rule != Id))
        {
            return null;
        }
        Suspicion[] suspects = [.. Suspects.Of(observation), .. Rivals.Of(observation)];
        Suspicion first = suspects.FirstOrDefault(suspect => suspect.Supported)
            ?? new Suspicion(Causes.Other, true, "nothing that is measured stands out", [], ["learning_rate", "optimizer", "initialization"]) { Action = "Look at the data and their labels; then try another learning rate." };
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            // Data without anything to learn look like this too; only a measured cause makes it the network's fault.
            Severity = first.Supported && first.Cause != Causes.Other ? Severity.Error : Severity.Warning,
            Cause = first.Cause,
            Layers = first.Layers,
            Step = observation.Step.Step,
            Confidence = first.Cause == Causes.Other ? 0.6 : 0.75,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("loss_over_constant", new Evidence(observation.Loss / reference, level / reference))
                .Add("loss_since_half_time", new Evidence(observation.Losses.Since(0.5), Flat)),
            Explanation =
                $"After {Percent(observation.Progress)} of the run the loss ({Number(observation.Loss)}) is {Percent(observation.Loss / reference)} of {(double.IsNaN(observation.ConstantLoss) ? "its start" : "a constant prediction's")} (limit {Percent(level / reference)}) and {(observation.Losses.Since(0.5) > 0.98 ? "is not falling" : "hardly falls")}{(first.Cause == Causes.Other ? "; " : ", most likely because ")}{first.Because}.",
            Action = first.Action,
            Details = first.Details,
            RuledOut = [.. suspects.Where(suspect => !suspect.Supported).Select(suspect => suspect.Because)],
            Remedies = first.Remedies,
        };
    }
}
