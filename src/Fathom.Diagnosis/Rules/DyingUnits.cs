using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// More and more units of a ReLU layer die: at this pace half of them are dead before the run ends, which FTH004 then calls. A
/// warning in time, before accuracy is lost (Lu et al. 2020, Dying ReLU and initialization).
/// </summary>
public sealed class DyingUnits : Rule
{
    /// <summary>Counts through which the line goes, about a quarter of a run.</summary>
    private const int Counts = 6;

    /// <summary>Share of dead units from which on the trend matters, by how much the line must rise, and how well it must fit (R²).</summary>
    private const double Least = 0.2, Rise = 0.06, Fit = 0.7;

    /// <summary>Share of dead units that FTH004 calls.</summary>
    private const double Limit = 0.5;

    public override string Id => "FTH043";

    public override string Problem => "units are dying";

    public override string Threshold => "the share of a ReLU layer's units that give 0 for each of 128 samples is 20 % or more, and a line through the last six counts (R² of 0.7 or more) passes 50 %, FTH004's limit, before the run ends";

    /// <summary>The counts are apart by eight inspections already.</summary>
    public override int Persistence => 1;

    public override Finding? Inspect(Observation observation)
    {
        (UnitTrace Layer, double PerStep)[] dying = [.. observation.Interior.Units.Select(layer => (layer, Pace(layer))).Where(item => item.Item2 > 0 && Passes(item.layer, item.Item2, observation))];
        if (dying.Length == 0)
        {
            return null;
        }
        (UnitTrace worst, double pace) = dying.MaxBy(item => item.Layer.Shares[^1].Share);
        double share = worst.Shares[^1].Share;
        long limit = worst.Shares[^1].Step + (long)((Limit - share) / pace);
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Warning,
            Cause = Causes.DeadRelu,
            Layers = [.. dying.Select(item => item.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = 0.6,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("dead_share", new Evidence(share, Limit))
                .Add("dead_share_at_the_end", new Evidence(Math.Min(1, share + pace * (observation.TotalSteps - worst.Shares[^1].Step)), Limit)),
            Explanation = $"{Percent(share)} of {worst.Units} units of {worst.Name} give 0 for every sample, after {Percent(worst.Shares[^Counts].Share)} at step {worst.Shares[^Counts].Step}; at this pace {Percent(Limit)} are dead by step {limit} of {observation.TotalSteps}.",
            Action = "Lower the learning rate now, or use a leaky activation.",
            Details = "A unit that gives 0 for every sample gets no gradient and does not come back. Steps that are too large push biases down for good; weight decay on weights but not on biases does so slowly.",
            Remedies = ["learning_rate", "activation", "batch_norm"],
        };
    }

    /// <summary>Share of units that die per step, by a line through the last counts; 0 if they do not rise, or jump about.</summary>
    private static double Pace(UnitTrace layer)
    {
        if (layer.Shares.Count < Counts || layer.Shares[^1].Share is < Least or >= Limit)
        {
            return 0;
        }
        (long Step, double Share)[] last = [.. layer.Shares.TakeLast(Counts)];
        double meanStep = last.Average(count => count.Step), meanShare = last.Average(count => count.Share);
        double xx = last.Sum(count => (count.Step - meanStep) * (count.Step - meanStep)), xy = last.Sum(count => (count.Step - meanStep) * (count.Share - meanShare));
        double yy = last.Sum(count => (count.Share - meanShare) * (count.Share - meanShare)), slope = xy / xx;
        return slope * (last[^1].Step - last[0].Step) >= Rise && xy * xy >= Fit * xx * yy ? slope : 0;
    }

    private static bool Passes(UnitTrace layer, double pace, Observation observation) =>
        layer.Shares[^1].Share + pace * (observation.TotalSteps - layer.Shares[^1].Step) >= Limit;
}
