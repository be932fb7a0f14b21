using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The gradients of batches differ so much that their noise, not the slope, moves the weights, and it holds the loss up: descent with noise of the covariance
/// Σ/B ends about rate · tr Σ / (4B) above the bottom of its valley. Near the end of any run noise outweighs what is left of the slope; it is named
/// only where it holds up a good part of a loss that is still high.
/// </summary>
public sealed class GradientNoise : Rule
{
    /// <summary>Noise scale tr Σ / ‖G‖² over the batch (McCandlish et al. 2018).</summary>
    private const double Drowned = 10;

    /// <summary>Share of the loss that the noise holds up, by a formula for small rates, which is a lower bound.</summary>
    private const double Held = 0.1;

    private const double Start = 0.2;

    /// <summary>Steps between two measurements, each of which costs a step.</summary>
    private const int Spacing = 40;

    public override string Id => "FTH060";

    public override string Problem => "noise drowns the gradient";

    public override string Threshold => "the gradient's noise scale is 10 times the batch or more (McCandlish et al. 2018), the noise holds up a tenth of the loss or more by rate · tr Σ / (4 · batch), and after a fifth of the run the loss has stopped falling above 20 % of a constant prediction's";

    public override Finding? Inspect(Observation observation)
    {
        (int batch, int all) = observation.Rows;
        if (observation.Progress < Start || !observation.HasStopped || batch < 2 || batch >= all)
        {
            return null;
        }
        NoiseTrace noise = observation.Noise;
        // Where inspections are close, not at each of them.
        if (noise.Count == 0 || observation.Step.Step % Spacing < Math.Max(1, observation.TotalSteps / 200))
        {
            observation.MeasureNoise();
        }
        double held = observation.LossHeldUpByNoise();
        return noise.Count >= NoiseTrace.Settling && noise.Scale > Drowned * batch && held > Held * observation.Loss ? Describe(observation, held, batch) : null;
    }

    private Finding Describe(Observation observation, double held, int batch)
    {
        NoiseTrace noise = observation.Noise;
        string scale = double.IsPositiveInfinity(noise.Scale) ? "no number of rows shows a slope" : $"slope and noise would be alike at {Number(Math.Round(noise.Scale))} rows";
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Warning,
            Cause = Causes.LearningRateTooLarge,
            Layers = [],
            Step = observation.Step.Step,
            Confidence = 0.7,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("noise_scale", new Evidence(noise.Scale, Drowned * batch))
                .Add("loss_held_up", new Evidence(held, Held * observation.Loss)),
            Explanation = $"Noise drowns the gradient of batches of {batch}: {scale} (limit {Number(Drowned * batch)}), and it holds up at least {Number(Math.Min(held, observation.Loss))} of the loss of {Number(observation.Loss)}.",
            Action = $"Lower the learning rate ({Number(observation.Step.LearningRate)}) by 3 to 10, let it decay, or raise the batch ({batch}) as much.",
            Details = $"From the gradients of half batches at the same weights, {noise.Count} times: tr Σ = {Number(noise.Variances.Sum())}, squared norm of the mean gradient {Number(noise.Signal)}. Both a smaller rate and a larger batch shorten the steps that noise makes beside those of the slope.",
            RuledOut = [$"vanishing gradient: one sample's gradient has a norm of about {Number(Math.Sqrt(noise.Variances.Sum()))}"],
            Remedies = ["learning_rate", "rate_decay", "batch_size", "optimizer"],
        };
    }
}
