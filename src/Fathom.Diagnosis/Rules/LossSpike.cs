using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// One step's loss or gradient stands far out from those before it. A single spike is a note, three in a quarter of the run are a warning: each
/// throws the weights back, and fills Adam's second moments. Judged by median and median absolute deviation of the logarithms, which a
/// spike does not move (Hampel 1974); the spikes that Chowdhery et al. 2022 skipped batches for, and that ZClip (Kumar et al. 2025) clips.
/// </summary>
public sealed class LossSpike : Rule
{
    /// <summary>Share of the run that a spike is remembered for, and least number of steps.</summary>
    private const double Memory = 0.25;

    private const long LeastMemory = 200;

    /// <summary>Spikes within that time that are no accident.</summary>
    private const int Repeated = 3;

    public override string Id => "FTH050";

    public override string Problem => "spike of the loss or the gradient";

    public override string Threshold => "the loss of a step is 3 times the median of the 64 before it or more, or the gradient's norm 10 times, and its logarithm 6 robust standard deviations above theirs; a warning from 3 spikes in a quarter of the run on";

    public override bool EveryStep => true;

    public override int Persistence => 1;

    public override Finding? Inspect(Observation observation)
    {
        SpikeTrace spikes = observation.Spikes;
        long memory = Math.Max(LeastMemory, (long)(Memory * observation.TotalSteps));
        if (spikes.Count == 0 || observation.Step.Step - spikes.Latest.Step > memory)
        {
            return null;
        }
        return spikes.Said ??= Describe(observation, spikes.Latest, spikes.Since(spikes.Latest.Step - memory));
    }

    private Finding Describe(Observation observation, Spike spike, int count)
    {
        string what = spike.OfLoss ? "loss" : "gradient norm";
        bool repeated = count >= Repeated;
        double bound = Math.Exp(observation.Spikes.LogNorms.Quantile(0.9));
        bool clips = observation.Model.Plan.Clipping is not null;
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = repeated ? Severity.Warning : Severity.Info,
            Cause = repeated ? Causes.LearningRateTooLarge : Causes.None,
            Layers = [],
            Step = observation.Step.Step,
            Confidence = repeated ? 0.7 : 0.6,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("robust_score", new Evidence(spike.Score, SpikeTrace.Score))
                .Add("value_over_median", new Evidence(spike.Value / spike.Median, spike.OfLoss ? SpikeTrace.LossFactor : SpikeTrace.NormFactor))
                .Add("spikes", new Evidence(count, Repeated)),
            Explanation =
                $"{(repeated ? $"{count} spikes; the latest: the" : "The")} {what} of step {spike.Step} was {Number(spike.Value)}, ×{Number(spike.Value / spike.Median)} the median of the steps before, " +
                $"{Number(Math.Round(spike.Score, 1))} robust deviations above it (limit {SpikeTrace.Score}).",
            Action = !repeated ? "Nothing while it stays the only one; if it recurs, clip the gradient's norm."
                : clips ? $"Lower the learning rate ({Number(observation.Step.LearningRate)}), or clip at a lower norm than now."
                : $"Clip the gradient's norm at {Number(bound)}, which 9 of 10 steps stay below, or lower the learning rate ({Number(observation.Step.LearningRate)}).",
            Details = "A batch of outliers, or weights on a steep place, make one gradient many times its usual size. The step that follows throws the weights back, and with Adam the second moment " +
                "stays large for some 1/(1 − β₂) steps, in which nothing moves (FTH054 measures that). A network that recovers at once needs no cure.",
            Remedies = repeated ? ["clip_norm", "clip_spikes", "learning_rate"] : [],
        };
    }
}
