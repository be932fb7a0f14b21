using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Remedies;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The optimizer still divides by gradients of the past that were many times as large as the present ones: after a spike, or after a start
/// with huge gradients, steps stay tiny until the average has forgotten them, 1/(1 − β₂) steps for each factor e.
/// </summary>
public sealed class StaleSecondMoment : Rule
{
    /// <summary>log10 of √v over the present gradient: steps of a tenth of their usual length.</summary>
    private const double Stale = 1;

    private const double Start = 0.05;

    public override string Id => "FTH054";

    public override string Problem => "second moments from the past";

    public override string Threshold => "√v of the layer in the middle is 10 times the present gradient or more, and the loss has stopped falling above 20 % of a constant prediction's";

    public override int Persistence => 5;

    public override Finding? Inspect(Observation observation)
    {
        if (observation.Optimizer is not { IsAdaptive: true } view || observation.Progress < Start || !observation.HasStopped
            || observation.MeasureSecondMoments() is not { } moments || !(moments.LogExcess > Stale))
        {
            return null;
        }
        double factor = Math.Pow(10, moments.LogExcess);
        bool forgets = view.SecondDecay < 1;
        // v falls by β₂ a step, its root by √β₂.
        double steps = forgets ? 2 * Math.Log(factor) / -Math.Log(view.SecondDecay) : double.PositiveInfinity;
        string when = forgets ? $"it takes {Number(Math.Round(steps))} more steps to forget them" : $"{OptimizerParts.NameOf(observation.Model.Plan.Optimizer)} never forgets them";
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Warning,
            Cause = Causes.Other,
            Layers = [],
            Step = observation.Step.Step,
            Confidence = 0.65,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("root_over_gradient", new Evidence(factor, Math.Pow(10, Stale)))
                .Add("steps_to_forget", new Evidence(steps, observation.TotalSteps - observation.Step.Step)),
            Explanation =
                $"Steps are divided by gradients of the past, ×{Number(factor)} the present ones (limit ×{Number(Math.Pow(10, Stale))}), {when}, and the loss stands at {Number(observation.Loss)}.",
            Action = !forgets ? "Use an optimizer that forgets, such as adam or rmsprop." : observation.Spikes.Count > 0 ? $"Clip the gradient's norm, so that a spike cannot fill v; or lower {view.SecondName} ({Number(view.SecondDecay)})."
                : $"Lower {view.SecondName} ({Number(view.SecondDecay)}), to 0.99 or 0.95, or warm the rate up so that the first gradients are smaller.",
            Details = $"The mean of g² was measured over the weights and held against the g² of this step. Spikes of loss or gradient so far: {observation.Spikes.Count}. With β₂ = 0.999 a single gradient a thousand times its usual " +
                "size holds steps down for thousands of steps.",
            RuledOut = [$"learning rate too small: with second moments of the present size the same rate would take steps ×{Number(factor)} as long"],
            Remedies = ["optimizer_settings", "optimizer", "clip_norm"],
        };
    }
}
