using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Theory;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The gradient of a recurrent layer's state grows on its way back through time, for which the recurrent weights must have a
/// singular value above 1/max φ' (Pascanu et al. 2013), and the loss stands.
/// </summary>
public sealed class ExplodingOverTime : Rule
{
    /// <summary>The mirror image of FTH001's threshold, along time; and what is enough once the network has not learnt for a tenth of the run.</summary>
    private const double Decades = 3, Stalled = 1.5;

    public override string Id => "FTH041";

    public override string Problem => "gradient explodes over time";

    public override string Threshold => "the gradient by a recurrent layer's state grows by 10³ or more from the last time step to the first, by a fitted line, while the loss stands above 90 % of its start or of a constant prediction's; 10^1.5 is enough once the network has not learnt for a tenth of the run, as FTH032 has it (AutoTrainer's ratio along time; Pascanu et al. 2013)";

    public override Finding? Inspect(Observation observation)
    {
        double limit = observation.Stalls ? Stalled : Decades;
        (StateTrace Layer, TimeFit Fit)[] growing = [.. observation.RecurrentLayers.Select(layer => (layer, layer.Fit)).Where(item => item.Fit.DecadesLost <= -limit)];
        return growing.Length > 0 && (observation.LossStands || observation.Stalls) ? Describe(observation, growing, limit) : null;
    }

    private Finding Describe(Observation observation, (StateTrace Layer, TimeFit Fit)[] growing, double limit)
    {
        (StateTrace layer, TimeFit fit) = growing.MinBy(item => item.Fit.DecadesLost);
        RecurrentPrediction? theory = observation.Prediction?.Recurrent.FirstOrDefault(other => other.Layer == layer.Layer);
        double expected = theory?.FactorPerStep ?? double.NaN;
        double growth = observation.LogGrowthOf(layer.Layer);
        bool blown = growth > LayerTrace.Blown; // not the weights as they were drawn, then
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = blown ? Causes.LearningRateTooLarge : Causes.Exploding,
            Layers = [.. growing.Select(item => item.Layer.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = Math.Round(Math.Min(0.97, 0.75 + 0.07 * (-fit.DecadesLost - limit)), 3),
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("decades_gained_over_time", new Evidence(-fit.DecadesLost, limit))
                .Add("factor_per_step", new Evidence(fit.FactorPerStep, expected))
                .Add("gradient_norm", new Evidence(observation.Step.GradientNorm, double.NaN)),
            Explanation = $"Over {fit.Steps} time steps of {layer.Layer.Name} the gradient grows by {Number(Math.Round(-fit.DecadesLost, 1))} decades on its way back (limit {Number(limit)}), and the loss ({Number(observation.Loss)}) stands.",
            Action = blown ? $"Lower the learning rate ({Number(observation.Step.LearningRate)}), and bound the gradient's norm." : "Start the recurrent weights orthogonal with gain 1, and bound the gradient's norm.",
            Details = $"The norm changes by ×{Number(fit.FactorPerStep)} per step{(double.IsNaN(expected) ? "" : $", where theory expects ×{Number(expected)} of the initial weights")}. Small changes of the early steps then decide what comes out, and the gradient says more of them than of the task. Clipping bounds the step, smaller recurrent weights mend the cause.",
            RuledOut =
            [
                blown ? $"initial weights: steps have blown them up to {Number(Math.Pow(10, growth))} times their norm" : $"learning rate too large: the weights have {Number(Math.Pow(10, growth))} times their initial norm",
                $"explosion over depth: {observation.Layers.Count} layers change the gradient by {Number(Math.Round(-observation.GradientOverDepth.Decades, 1))} decades",
            ],
            Remedies = blown ? ["learning_rate", "clip_norm", "recurrent_initialization"] : ["recurrent_initialization", "clip_norm", "recurrent", "truncated_bptt"],
        };
    }
}
