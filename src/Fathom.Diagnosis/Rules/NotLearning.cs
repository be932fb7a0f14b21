using System.Collections.Immutable;
using Fathom.Diagnosis.Causation;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs.Ops;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// A good part of the run is over, the loss is no better than what a constant prediction would have, it is not on its way
/// down, and no other rule is certain of why. The cause is the strongest of the suspicions that the measurements support.
/// </summary>
public sealed class NotLearning : Rule
{
    /// <summary>Share of the run that a network may take to get going.</summary>
    private const double Patience = 0.1, ShortPatience = 0.25;

    /// <summary>Steps that a short run may take for it, six times what the smoothed loss remembers, up to a larger share of the run.</summary>
    private const int PatientSteps = 60;

    /// <summary>Steps after which a high loss is more than a spike, three times what the smoothed loss remembers, up to a share of a short run; as in FTH051.</summary>
    private const int SpikeSteps = 30;

    /// <inheritdoc cref="SpikeSteps"/>
    private const double ShortSpike = 0.15;

    /// <summary>Share of the level below which the loss counts as having been below: the smoothed loss is noisy by as much.</summary>
    private const double NearLevel = 0.9;

    /// <summary>
    /// Unlearnt share, 1 for a constant prediction's loss, above which nothing of use has been learnt; less is asked of a run
    /// that is well on. On the tuning half of bench/corpus healthy networks end below 0.40, sick ones, but for one in
    /// twenty, above 0.5.
    /// </summary>
    private const double Standing = 0.8, StandingLate = 0.45;

    /// <summary>Share of the run from which on a run is well on, and steps that it must have done for it in a short one, up to a larger share: twice <see cref="PatientSteps"/>.</summary>
    private const double Late = 0.4, ShortLate = 0.75;

    /// <inheritdoc cref="Late"/>
    private const int LateSteps = 2 * PatientSteps;

    /// <summary>
    /// How far a network may stay behind its five nearest rows, as a share of what there is to learn, once it is well on and stands: three times the 0.05 within which
    /// bench/corpus calls one healthy where the start was odd, and 0.35 where nothing has warned. Less than <see cref="StandingLate"/> is asked only where
    /// the rows tell that it can be had.
    /// </summary>
    private const double BehindOdd = 0.15, Behind = 0.35;

    /// <summary>Share of the run that is its end: a network with an odd start that is behind then need not stand.</summary>
    private const double End = 0.95;

    /// <summary>Share of that level which the loss must not have been below before: then it can fall, and something else has come.</summary>
    private const double Reached = 0.7, ReachedEarly = 0.85, ReachedNear = 0.6;

    /// <summary>Trend of a loss that goes down so fast that nothing keeps it up, wherever it is; not where an odd start has set it so far up that the way is too long.</summary>
    private const double FallingFreely = 0.6;

    /// <summary>Trend of the loss below which a network without any measured fault, or with a weak suspicion only, is slow and no more.</summary>
    private const double Falling = 0.9, FallingFast = 0.8;

    /// <summary>The same where long steps have thrown the weights away: the loss falls at first for having been thrown up.</summary>
    private const double FallingBack = 0.7;

    /// <summary>Share of what there is to learn that the nearest rows must tell for the data to be cleared.</summary>
    private const double Learnable = 0.3;

    /// <summary>
    /// Share of the run that is enough where the look before training has found an error or steps have blown up the weights of half of the layers, and
    /// where no gradient arrives anywhere.
    /// </summary>
    private const double Warned = 0.02, Silent = 0.01;

    internal const string RuleId = "FTH032";

    public override string Id => RuleId;

    public override string Problem => "the network does not learn";

    public override string Threshold => "after a tenth of the run (60 steps in a short one, up to a quarter of it) 80 % of what there is to learn is unlearnt, measured by the loss from a constant prediction's (its start where that is not known) down to the least that the output allows; after two fifths (120 steps in a short run, up to three quarters of it) 45 %, and at the pace since half of the steps so far 45 % will be so at the end, or the loss stands and 35 % more is unlearnt than the five nearest rows leave (15 % after an error or an odd start before training); and no other rule explains it; 2 % of the run are enough where an error was found before training or steps have blown up the weights of half of the layers, 1 % where no gradient arrives at any layer";

    public override int Persistence => 5;

    public override Finding? Inspect(Observation observation)
    {
        bool early = observation.Progress >= Warned && (observation.IsForewarned || IsBlown(observation)) || observation.Progress >= Silent && observation.IsSilent;
        bool late = IsLate(observation);
        // A spike in the newest tenth is no turn of the loss: its pace is that of the least since before it.
        double calm = Math.Min(observation.Losses.Now, LeastSince(observation)), trend = calm / observation.Losses.Half;
        double level = late ? StandingLate : Standing, now = observation.Unlearnt(observation.Losses.Now), end = observation.UnlearntAtTheEndFrom(calm);
        bool stands = now > level && end > StandingLate && observation.Unlearnt(observation.Losses.Least) > (late ? Reached : ReachedEarly) * level;
        bool behind = !stands && IsBehind(observation, now, ref level);
        bool ends = behind && observation.Progress >= End;
        // Once said, it stays said while another rule speaks of the same thing: the chain of causes puts it behind that one.
        bool explained = observation.Open.Any(finding => finding.Severity == Severity.Error && finding.Rule is not (RuleId or FallsShort.RuleId)) && observation.Open.All(finding => finding.Rule != Id);
        bool tooEarly = !early && observation.Step.Step + 1 < Math.Max(Patience * observation.TotalSteps, Math.Min(PatientSteps, ShortPatience * observation.TotalSteps));
        if (observation.Layers.Count == 0 || tooEarly || !(stands || behind) || explained || stands && WasBelow(observation, level) || trend < FallingFreely && !ends && !observation.HasOddStart)
        {
            return null;
        }
        Suspicion[] suspects = [.. Suspects.Of(observation), .. Rivals.Of(observation)];
        Suspicion first = suspects.FirstOrDefault(suspect => suspect.Supported) ?? Unknown;
        bool other = first.Cause == Causes.Other;
        if ((other || first.IsWeak) && !observation.HasOddStart && !(observation.DropsMuch && observation.Unlearnt(observation.Losses.Least) > Standing) && trend < (other ? Falling : observation.WasThrown ? FallingBack : FallingFast))
        {
            return null; // slow, and FTH064 has the word
        }
        if (first.Cause == Causes.Vanishing && !late && observation.Network.Nodes.Any(node => node.Op is Lstm or Gru))
        {
            return null; // gates have to open before anything is remembered: such a loss stands for long, and then falls at once
        }
        if (observation.RowLooks.HasLearnt)
        {
            return null; // unsure of its rows, or far too sure of a few, but it knows them
        }
        bool cleared = observation.HasOddStart || behind || (observation.NeighbourSkill > Learnable && (!other || late));
        bool certain = !(other || first.IsWeak) || cleared;
        first = certain || !first.IsWeak ? first : Unknown;
        other = first.Cause == Causes.Other;
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            // Data without anything to learn look like this too: without a cause that was measured, the data must be shown to hold something.
            Severity = certain ? Severity.Error : Severity.Warning,
            IsFinal = observation.IsSilent, // weights that get no gradient from any batch stay as they are
            Cause = first.Cause,
            Layers = first.Layers,
            Step = observation.Step.Step,
            Confidence = other ? 0.6 : 0.75,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("unlearnt_share", new Evidence(now, level))
                .Add("unlearnt_at_the_end", new Evidence(end, Math.Min(level, StandingLate))),
            Explanation =
                $"After {Percent(observation.Progress)} of the run the loss ({Number(observation.Losses.Now)}) is {PartOf(now)} {(double.IsNaN(observation.ConstantLoss) ? "its start" : "a constant prediction's")} (limit {Percent(level)}{(behind ? $", as the five nearest rows leave {Percent(observation.LeftByNeighbours)}" : "")}) and {(observation.Losses.Since(0.5) > 0.98 ? "is not falling" : "hardly falls")}{(other ? "; " : ", most likely because ")}{first.Because}.",
            Action = first.Action,
            Details = string.Join(' ', new[] { first.Details, certain && (other || first.IsWeak) && observation.NeighbourSkill > Learnable ? $"There is something to learn: the five nearest rows tell {Percent(observation.NeighbourSkill)} of it (limit {Percent(Learnable)})." : "" }.Where(text => text.Length > 0)),
            RuledOut = [.. suspects.Where(suspect => !suspect.Supported).Select(suspect => suspect.Because)],
            Remedies = first.Remedies,
        };
    }

    private static Suspicion Unknown { get; } = new(Causes.Other, true, "nothing that is measured stands out", [], ["learning_rate", "optimizer", "initialization"]) { Action = "Look at the data and their labels; then try another learning rate." };

    /// <summary>Whether a network that has learnt something stands well behind what the rows that lie nearest tell, and at what level that begins.</summary>
    private static bool IsBehind(Observation observation, double now, ref double level)
    {
        bool odd = observation.HasOddStart || observation.IsForewarned;
        if (!IsLate(observation) || observation.DropsMuch || !(now > BehindOdd && now <= StandingLate) || !(observation.Losses.Trend > Falling || odd && observation.Progress >= End))
        {
            return false;
        }
        level = Math.Min(level, (odd ? BehindOdd : Behind) + observation.LeftByNeighbours);
        return now > level && observation.Unlearnt(observation.Losses.Least) > (odd ? ReachedNear : Reached) * level;
    }

    /// <summary>Whether the loss has been below the level in the last <see cref="SpikeSteps"/>, so that it may only have jumped: in a long run one or two inspections.</summary>
    private static bool WasBelow(Observation observation, double level) => observation.Unlearnt(LeastSince(observation)) <= NearLevel * level;

    /// <summary>The least loss in the last <see cref="SpikeSteps"/>.</summary>
    private static double LeastSince(Observation observation)
    {
        double steps = Math.Min(SpikeSteps, ShortSpike * observation.TotalSteps), interval = Math.Max(1, observation.TotalSteps / 200);
        return observation.Losses.Newest((int)Math.Ceiling(steps / interval)).Min();
    }

    /// <summary>Whether the run is so far that a network should have learnt most of what it will.</summary>
    internal static bool IsLate(Observation observation) => observation.Step.Step + 1 >= Math.Max(Late * observation.TotalSteps, Math.Min(LateSteps, ShortLate * observation.TotalSteps));

    private static bool IsBlown(Observation observation) => observation.Layers.Count(layer => layer.IsBlown) * 2 >= observation.Layers.Count;
}
