using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Causation;

/// <summary>
/// What can keep a loss up though the gradient is sound: noise, clipping, data, too short a run. Weighed after <see cref="Suspects"/>; their cause is
/// <see cref="Causes.Other"/>, so that none of them alone makes a network sick.
/// </summary>
internal static class Rivals
{
    /// <summary>Rows of the largest class over those of the smallest, from which on a constant answer pays (Buda et al. 2018).</summary>
    private const double Imbalance = 10;

    /// <summary>Share of the steps that are clipped, and log10 of the factor, as in FTH059.</summary>
    private const double Always = 0.9, Hard = 1;

    /// <summary>Noise scale over the batch, and share of the loss that noise holds up, as in FTH060.</summary>
    private const double Drowned = 3, Held = 0.1;

    /// <summary>Share of the run from which on a loss that still falls as much runs out of time.</summary>
    private const double Late = 0.9, Falling = 0.85;

    public static IEnumerable<Suspicion> Of(Observation observation)
    {
        Suspicion?[] all = [Clipped(observation), Noisy(observation), Imbalanced(observation), Overfitted(observation), Unfinished(observation)];
        return all.OfType<Suspicion>();
    }

    private static Suspicion? Clipped(Observation observation)
    {
        ClipTrace clipping = observation.Clipping;
        if (observation.Model.Plan.Clipping is null || double.IsNaN(clipping.Share))
        {
            return null;
        }
        bool supported = clipping.Share > Always && clipping.LogRatio > Hard;
        return new(Causes.Other, supported,
            supported ? $"{Percent(clipping.Share)} of the steps are clipped, to {OneIn(Math.Pow(10, clipping.LogRatio))} of their norm" : $"clipping: {Percent(clipping.Share)} of the steps are clipped, by ×{Number(Math.Pow(10, clipping.LogRatio))}",
            [], ["clip_norm"])
        {
            Action = $"Clip at {Number(Math.Exp(observation.Spikes.LogNorms.Quantile(0.9)))}, which 9 of 10 gradients stay below.",
            Details = "The threshold, not the gradient, sets the length of every step.",
        };
    }

    private static Suspicion? Noisy(Observation observation)
    {
        NoiseTrace noise = observation.Noise;
        if (noise.Count < NoiseTrace.Settling)
        {
            return null;
        }
        double held = observation.LossHeldUpByNoise();
        int batch = observation.Rows.Batch;
        bool supported = noise.LeastScale > Drowned * batch && held > Held * observation.Loss;
        return new(Causes.Other, supported,
            supported ? $"the gradient's noise holds up {Number(held)} of the loss" : $"noise: at this rate it holds up {Number(held)} of the loss; noise scale at least {Number(noise.LeastScale)}, batch {batch}",
            [], ["learning_rate"])
        {
            Action = $"Lower the learning rate ({Number(observation.Step.LearningRate)}), or raise the batch ({batch}).",
            Details = "From the gradients of half batches at the same weights.",
        };
    }

    private static Suspicion? Imbalanced(Observation observation)
    {
        int[] counts = [.. observation.ClassCounts.Where(count => count > 0)];
        if (counts.Length < 2)
        {
            return null;
        }
        double ratio = (double)counts.Max() / counts.Min();
        bool supported = ratio >= Imbalance && observation.Model.Plan.ClassWeights is null;
        return new(Causes.Other, supported,
            supported ? $"one class has {Number(ratio)} times the rows of another, so that a constant answer is right for {Percent((double)counts.Max() / counts.Sum())} of them"
                : $"class imbalance: the largest class has {Number(ratio)} times the rows of the smallest{(observation.Model.Plan.ClassWeights is null ? "" : ", and the plan weighs the classes")}",
            [], [])
        {
            Action = "Set 'class_weights: balanced', and read the metric f1 in place of accuracy.",
            Details = "The loss is lowered first by never naming the rare classes (FTH017).",
        };
    }

    private static Suspicion? Overfitted(Observation observation) => observation.Epochs.Validation.Count < 2 ? null
        : new(Causes.Other, false, $"overfitting: the training loss stands too, at {Number(observation.Epochs.Training[^1])} (validation {Number(observation.Epochs.Validation[^1])})", [], []);

    private static Suspicion Unfinished(Observation observation)
    {
        double since = observation.Losses.Since(0.75);
        bool supported = observation.Progress > Late && since < Falling;
        return new(Causes.Other, supported,
            supported ? $"the run is too short: the loss has fallen by {Percent(1 - since)} in its last quarter" : $"too short a run: since three quarters of the steps the loss has changed by ×{Number(since)}", [], [])
        {
            Action = "Train for several times as many epochs.",
            Details = "A loss that falls as steadily at the end as before shows that gradients arrive and steps are useful.",
        };
    }
}
