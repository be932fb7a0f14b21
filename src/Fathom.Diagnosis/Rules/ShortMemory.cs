using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// An adaptive optimizer that forgets at once takes a step of full length in every weight, by the gradient's sign alone: nothing averages the noise out,
/// and steps get no shorter near a minimum. A β₂ below 0.9 is enough where β₁ is small too.
/// </summary>
public sealed class ShortMemory : Rule
{
    /// <summary>Decay of the mean square below which it holds hardly more than the last gradients: 5 steps.</summary>
    private const double Short = 0.8;

    /// <summary>
    /// Root mean square of the steps over the longest possible, the learning rate: 1 for steps by sign. Noise alone gives √((1 − β₁)/(1 + β₁)), 0.23 at the usual β₁.
    /// </summary>
    private const double Full = 0.5;

    /// <summary>log10 ‖Δw‖/‖w‖: 1 %, 10 times healthy training (CS231n notes).</summary>
    private const double Long = -2;

    private const double Start = 0.2;

    public override string Id => "FTH055";

    public override string Problem => "an optimizer without memory";

    public override string Threshold => "β₂ is below 0.8, the steps are half of the longest possible or more and 1 % of the weights (10 times the healthy 1e-3), and after a fifth of the run the loss has stopped falling above 20 % of a constant prediction's";

    public override Finding? Inspect(Observation observation)
    {
        if (observation.Optimizer is not { IsAdaptive: true, SecondDecay: < Short } view || observation.Progress < Start || !observation.HasStopped || !(observation.TypicalLogUpdate > Long))
        {
            return null;
        }
        double full = observation.StepOverRate();
        return full > Full && !observation.RowLooks.HasLearnt ? Describe(observation, view, full) : null;
    }

    private Finding Describe(Observation observation, OptimizerView view, double full)
    {
        double noise = Math.Sqrt((1 - 0.9) / (1 + 0.9)), update = Math.Pow(10, observation.TypicalLogUpdate);
        string settings = view.Momentum < 0.9 && view.MomentumName.Length > 0 ? $"{view.MomentumName} = {Number(view.Momentum)}, {view.SecondName} = {Number(view.SecondDecay)}" : $"{view.SecondName} = {Number(view.SecondDecay)}";
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = Causes.Other,
            Layers = [],
            Step = observation.Step.Step,
            Confidence = 0.8,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("step_over_rate", new Evidence(full, noise))
                .Add("typical_relative_update", new Evidence(update, 1e-3))
                .Add("second_decay", new Evidence(view.SecondDecay, Short)),
            Explanation =
                $"With {settings} each step has {Percent(full)} of the greatest length (limit {Percent(Full)}; {Percent(noise)} for noise at the usual settings), {Percent(update)} of the weights, and the loss has stopped at {Number(observation.Loss)}.",
            Action = view.MomentumName == "beta1" ? "Set beta1 to 0.9 and beta2 to 0.999." : $"Set {view.SecondName} to 0.99.",
            Details = "Dividing a gradient by its own size leaves its sign. Only a mean over many steps tells the direction that they have in common from noise, and lets steps shrink where gradients change sign.",
            Remedies = ["optimizer_settings", "optimizer", "learning_rate"],
        };
    }
}
