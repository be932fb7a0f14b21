using System.Collections.Immutable;
using System.Globalization;
using Fathom.Compute;
using Fathom.Diagnosis.Monitoring;
using Fathom.Training.Execution;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// A tensor's largest magnitude is about to leave float32: it is within two decades of the largest number, or grows so that it
/// will get there soon. Said before <see cref="NonFiniteValue"/> has to be.
/// </summary>
public sealed class NearOverflow : Rule
{
    /// <summary>The fourth root of float32's largest number, 4.3e9: from here on the square of a square overflows, such as the variance of squared errors.</summary>
    private static readonly double Large = Math.Sqrt(Math.Sqrt(NumberFormat.Fp32.Max));

    /// <summary>A hundredth of the largest number: products with a few hundred terms overflow from here on.</summary>
    private static readonly double TwoDecades = NumberFormat.Fp32.Max / 100;

    private static readonly double Limit = RangeTrace.Log2(NumberFormat.Fp32.Max);

    /// <summary>Share of the run's steps ahead that counts as soon, and the steps that do in a short run.</summary>
    private const double Soon = 0.02;

    private const int SoonSteps = 20;

    public override string Id => "FTH065";

    public override string Problem => "about to overflow";

    public override string Threshold =>
        "a largest magnitude within 2 decades of float32's 3.4e38, or beyond its fourth root (4.3e9) and growing so that it gets there within 2 % of the run (20 steps at least)";

    public override bool EveryStep => true;

    public override int Persistence => 1;

    public override Finding? Inspect(Observation observation)
    {
        Candidate nearest = Nearest(observation);
        return nearest.Largest == 0 || AlreadyTold(observation) || !double.IsFinite(observation.Step.Loss) ? null : Make(observation, nearest);
    }

    /// <summary>The tensor, or the loss, that is the first to overflow if all go on as they do.</summary>
    private static Candidate Nearest(Observation observation)
    {
        ReadOnlySpan<TensorStatistics> statistics = observation.Statistics;
        ReadOnlySpan<int> probes = observation.Ranges.Probes;
        double soon = Horizon(observation);
        Candidate nearest = new(-1, 0, double.PositiveInfinity, 0);
        for (int i = 0; i <= probes.Length; i++)
        {
            bool loss = i == probes.Length;
            double largest = loss ? Math.Abs(observation.Step.Loss) : statistics[probes[i]].MaxAbs;
            if (!(largest > Large) || !double.IsFinite(largest) || (!loss && statistics[probes[i]].Finite < statistics[probes[i]].Count))
            {
                continue; // what is not finite is another rule's
            }
            double growth = observation.Ranges.Growth(i, largest);
            double steps = growth > 0 ? Math.Max(0, (Limit - RangeTrace.Log2(largest)) / growth) : double.PositiveInfinity;
            if ((largest >= TwoDecades || steps <= soon) && (nearest.Largest == 0 || steps < nearest.Steps))
            {
                nearest = new Candidate(loss ? -1 : probes[i], largest, steps, growth);
            }
        }
        return nearest;
    }

    private static double Horizon(Observation observation) => Math.Max(SoonSteps, Math.Ceiling(Soon * observation.TotalSteps));

    /// <summary>Whether an error finding has named already what makes the numbers grow.</summary>
    private static bool AlreadyTold(Observation observation)
    {
        foreach (Finding finding in observation.Open)
        {
            if (finding.Severity == Severity.Error && finding.Cause is Causes.Exploding or Causes.LearningRateTooLarge or Causes.Numerical)
            {
                return true;
            }
        }
        return false;
    }

    private Finding Make(Observation observation, Candidate nearest)
    {
        Probe? probe = nearest.Probe < 0 ? null : observation.Probes[nearest.Probe];
        double largest = nearest.Largest;
        double decades = Math.Log10(NumberFormat.Fp32.Max / largest);
        double factor = Math.Pow(2, nearest.Growth);
        bool extrapolates = double.IsFinite(nearest.Steps);
        long at = extrapolates ? observation.Step.Step + (long)Math.Ceiling(nearest.Steps) : -1;
        string name = probe?.ToString() ?? "The loss";
        bool driven = probe?.Kind is ProbeKind.Parameter or ProbeKind.ParameterUpdate || observation.Layers.Any(layer => layer.LogRelativeUpdate > ExplodingGradient.Violent);
        ImmutableSortedDictionary<string, Evidence> evidence = ImmutableSortedDictionary<string, Evidence>.Empty
            .Add("largest", new Evidence(largest, NumberFormat.Fp32.Max))
            .Add("growth_per_step", new Evidence(factor, 1));
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Warning,
            Cause = driven ? Causes.LearningRateTooLarge : Causes.Exploding,
            Layers = [probe?.Layer.Name ?? observation.Network.Output.Node.Name],
            Step = observation.Step.Step,
            Confidence = extrapolates ? 0.8 : 0.6,
            Evidence = extrapolates ? evidence.Add("overflow_step", new Evidence(at, double.NaN)) : evidence,
            Explanation = extrapolates && nearest.Steps <= Horizon(observation)
                ? $"{name} has reached {Number(largest)} and grows {Number(factor)}-fold a step: it passes float32's largest number (3.4e+38) about step {at}, within the {Number(Horizon(observation))} steps that are the limit."
                : $"{name} has reached {Number(largest)}, {decades.ToString("0.0", CultureInfo.InvariantCulture)} decades below float32's largest number (3.4e+38; limit 2 decades){(extrapolates ? "" : ", though it does not grow")}.",
            Action = driven ? $"Lower the learning rate ({Number(observation.Step.LearningRate)}) or clip the gradient's norm before then; --on-finding rollback keeps a healthy state."
                : "Normalise or use smaller initial weights, or clip the gradient's norm.",
            Details = $"The trend is that of about the last 10 steps. In fp16 (largest 65504) it would have overflowed already; bf16 reaches as far as float32." +
                (largest > BatchRange.NearOverflow ? " Its square, as in a mean of squares or a variance, overflows already." : ""),
            Remedies = ["learning_rate", "clip_norm", "initialization", "batch_norm"],
        };
    }

    /// <param name="Probe">The tensor; −1 for the loss.</param>
    /// <param name="Largest">Its largest magnitude; 0 for no candidate.</param>
    /// <param name="Steps">Steps until it overflows at its growth; ∞ if it does not grow.</param>
    /// <param name="Growth">Growth of log₂ per step.</param>
    private readonly record struct Candidate(int Probe, double Largest, double Steps, double Growth);
}
