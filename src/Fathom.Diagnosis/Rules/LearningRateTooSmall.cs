using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// No layer can get anywhere in the run: gradients arrive, but each step moves every layer by so little that all steps
/// together would change less than a tenth of its weights, and the loss has hardly fallen. A layer that moves by a healthy
/// share in each step of a short run is no such case.
/// </summary>
public sealed class LearningRateTooSmall : Rule
{
    /// <summary>Share of its weights; at the 10⁻³ a step of healthy training (CS231n notes), reached in 100 steps.</summary>
    private const double Movement = 0.1;

    /// <summary>Share of its weights that a layer moves by in a step of healthy training: CS231n's rule of thumb.</summary>
    private const double HealthyStep = 1e-3;

    /// <summary>Share of its start at which the loss still counts as standing.</summary>
    private const double Standing = 0.9;

    /// <summary>Decades of the gradient over depth from which on vanishing or exploding is the better explanation.</summary>
    private const double Decades = 3;

    public override string Id => "FTH006";

    public override string Problem => "learning rate too small";

    public override string Threshold => "every layer moves by less than the healthy 0.1 % of its weights a step and would move by less than 10 % in the whole run at the rate seen, while the loss stays within 10 % of its start and the gradient is no worse than 10³ over depth";

    public override Finding? Inspect(Observation observation)
    {
        LayerTrace[] layers = [.. observation.Layers.Where(layer => double.IsFinite(layer.LogRelativeUpdate))];
        if (layers.Length == 0 || !(observation.Loss > Standing * observation.FirstLoss && observation.Loss < observation.FirstLoss / Standing) || Math.Abs(observation.GradientOverDepth.Decades) >= Decades)
        {
            return null;
        }
        if (observation.Layers.Any(layer => layer.Settling))
        {
            return null; // it may well be the fastest
        }
        double fastest = Math.Pow(10, layers.Max(layer => layer.LogRelativeUpdate));
        double reach = fastest * observation.TotalSteps;
        // At a healthy step the run is short, and the rate is not to blame.
        return reach < Movement && fastest is > 0 and < HealthyStep ? Describe(observation, layers, fastest, reach) : null;
    }

    private Finding Describe(Observation observation, LayerTrace[] layers, double fastest, double reach) => new()
    {
        Rule = Id,
        Problem = Problem,
        Severity = Severity.Error,
        Cause = Causes.LearningRateTooSmall,
        Layers = [.. layers.Select(layer => layer.Layer.Name)],
        Step = observation.Step.Step,
        Confidence = Math.Round(0.6 + 0.3 * Math.Clamp(Math.Log10(Movement / reach) / 2, 0, 1), 3),
        Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
            .Add("largest_relative_update", new Evidence(fastest, HealthyStep))
            .Add("movement_in_whole_run", new Evidence(reach, Movement))
            .Add("loss_over_first", new Evidence(observation.Loss / observation.FirstLoss, Standing)),
        Explanation =
            $"Even the fastest layer moves by only {Number(fastest)} of its weights per step, where about 1e-3 is healthy; at this rate all {observation.TotalSteps} steps together move it by " +
            $"{Percent(reach)}. The loss ({Number(observation.Loss)}) has hardly left its start ({Number(observation.FirstLoss)}). Raise the learning rate ({Number(observation.Step.LearningRate)}), by a factor of about {Number(Math.Pow(10, Math.Max(1, Math.Round(Math.Log10(HealthyStep / fastest)))))}.",
        RuledOut = [$"vanishing gradient: the gradient's norm changes by only 10^{Number(Math.Round(-observation.GradientOverDepth.Decades, 1))} from the last to the first layer"],
        Remedies = ["learning_rate", "optimizer"],
    };
}
