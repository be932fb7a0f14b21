using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The gradient of a recurrent layer's state fades on its way back through time (Bengio et al. 1994; Pascanu et al. 2013), and the
/// loss stands: what lies early in the sequence cannot be learnt. A layer without gates that fades by e² is an error; one
/// with gates is a warning from 10³ on and an error from 10⁵ on, since it can still learn to open them.
/// </summary>
public sealed class VanishingOverTime : Rule
{
    /// <summary>Decades for a plain layer: e², so that the gradient's memory is half of the sequence or less.</summary>
    private static readonly double Plain = 2 / Math.Log(10);

    /// <summary>Share of the limit at which it still holds once it has been found.</summary>
    private const double Still = 0.5;

    /// <summary>Decades at which it is certain early, and for a layer with gates: AutoTrainer's 1e-3 along time.</summary>
    private const double Certain = 3;

    /// <summary>Decades from which on gates hardly learn to open: no healthy network of the tuning half has more after its first tenth.</summary>
    private const double BeyondGates = 5;

    /// <summary>Share of the run that a network which fades by less may take to get going.</summary>
    private const double Patience = 0.25;

    /// <summary>Share of its weights that a layer must be able to move in the run, and the longest sound step, as log10.</summary>
    private const double Reach = 0.2, LongStep = -1.6;

    public override string Id => "FTH040";

    public override string Problem => "gradient vanishes over time";

    public override string Threshold => "the gradient by a recurrent layer's state falls by e² or more, so that its memory is at most half of the sequence (10³ with gates, and an error from 10⁵ on), from the last time step to the first, by a fitted line, and the loss stands: above 80 % of a constant prediction's after a quarter of the run, above 55 % after two fifths, and not falling (chosen on the tuning half of bench/corpus; Pascanu et al. 2013)";

    public override Finding? Inspect(Observation observation)
    {
        // Where steps are too short or too long, or have blown the weights up, that is the better explanation.
        double step = observation.TypicalLogUpdate;
        bool blown = observation.Layers.Any(layer => layer.LogGrowth > LayerTrace.Blown);
        if (observation.RecurrentLayers.Count == 0 || !observation.Stalls || Math.Pow(10, step) * observation.TotalSteps < Reach || step > LongStep || blown)
        {
            return null;
        }
        double share = observation.Open.Any(finding => finding.Rule == Id) ? Still : 1;
        (StateTrace Layer, TimeFit Fit)[] fading =
        [
            .. observation.RecurrentLayers.Select(layer => (layer, layer.Fit))
                .Where(item => item.Fit.DecadesLost >= share * (IsGated(item.layer) ? Certain : Plain)),
        ];
        // A layer that hands its whole sequence on has a gradient of its own at each step; all layers together must fade.
        if (fading.Length == 0 || fading.Length < observation.RecurrentLayers.Count)
        {
            return null;
        }
        (StateTrace layer, TimeFit fit) = fading.MinBy(item => item.Fit.DecadesLost);
        return observation.Progress < Patience && (fit.DecadesLost < Certain || (IsGated(layer) && fit.DecadesLost < BeyondGates)) ? null : Describe(observation, layer, fit, fading);
    }

    private static bool IsGated(StateTrace layer) => ((RecurrentLayer)layer.Layer.Op).GateOutput >= 0;

    private Finding Describe(Observation observation, StateTrace layer, TimeFit fit, (StateTrace Layer, TimeFit Fit)[] fading)
    {
        bool gated = IsGated(layer);
        RecurrentPrediction? theory = observation.Prediction?.Recurrent.FirstOrDefault(other => other.Layer == layer.Layer);
        double expected = theory?.FactorPerStep ?? double.NaN;
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = gated && fit.DecadesLost < BeyondGates ? Severity.Warning : Severity.Error,
            Cause = Causes.Vanishing,
            Layers = [.. fading.Select(item => item.Layer.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = Math.Round(Math.Clamp(0.7 + 0.1 * (fit.DecadesLost - Plain), 0.65, 0.95), 3),
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("decades_lost_over_time", new Evidence(fit.DecadesLost, gated ? Certain : Plain))
                .Add("factor_per_step", new Evidence(fit.FactorPerStep, expected))
                .Add("memory_steps", new Evidence(fit.MemoryTime, fit.Steps))
                .Add("loss_over_constant", new Evidence(observation.Loss / observation.ReferenceLoss, 1)),
            Explanation = $"Over {fit.Steps} time steps of {layer.Layer.Name} the gradient falls by {Number(Math.Round(fit.DecadesLost, 1))} decades on its way back (limit {Number(Math.Round(gated ? Certain : Plain, 1))}), and the loss stands at {PartOf(observation.Loss / observation.ReferenceLoss)} a constant prediction's.",
            Action = gated ? $"Start the {(layer.Layer.Op is Gru ? "update" : "forget")} gate's bias at 1 or more, or shorten the sequences." : "Use an LSTM or GRU in its place, or orthogonal recurrent weights of gain 1.",
            Details = $"The norm changes by ×{Number(fit.FactorPerStep)} per step{(double.IsNaN(expected) ? "" : $", where theory expects ×{Number(expected)} of the initial weights")}: a memory of about {Number(fit.MemoryTime)} steps, and what lies further back is hardly learnt. Each step back multiplies the gradient by Wᵀ·φ'.",
            RuledOut =
            [
                $"learning rate too small: steps of {Number(Math.Pow(10, observation.TypicalLogUpdate))} of the weights can move them by {Percent(Math.Min(100, Math.Pow(10, observation.TypicalLogUpdate) * observation.TotalSteps))} in the run",
                $"learning rate too large: a step changes the weights by {Number(Math.Pow(10, observation.TypicalLogUpdate))}, where {Number(Math.Pow(10, LongStep))} is the limit",
            ],
            Remedies = gated ? ["forget_gate", "recurrent_initialization"] : ["recurrent", "recurrent_initialization"],
        };
    }
}
