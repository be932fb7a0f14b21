using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// Deep chains with batch normalization and without skip connections: the gradient grows by a constant factor at each layer on its way
/// back, whatever the initial weights are (Yang et al. 2019, A mean field theory of batch normalization: ×1.21 per layer for ReLU and
/// large batches, more for small ones).
/// </summary>
public sealed class BatchNormExplosion : Rule
{
    /// <summary>Decades of growth: 24 layers at ×1.21, where Yang et al. see 50 layers become untrainable (4 decades).</summary>
    private const double Decades = 2;

    /// <summary>Factor per layer below which the growth is none of theirs: tanh has 1.18^½ = 1.085, ELU 1.04.</summary>
    private const double Factor = 1.03;

    public override string Id => "FTH048";

    public override string Problem => "gradient explodes through batch normalization";

    public override string Threshold => "the gradient's norm grows by 10² or more from the last to the first layer of a chain in which batch normalization follows most layers and no skip connection leads around them; an error if the loss stands (Yang et al. 2019: ×1.21 per layer with ReLU, untrainable beyond about 50 layers)";

    public override Finding? Inspect(Observation observation)
    {
        if (observation.LossStands && observation.Open.FirstOrDefault(finding => finding.Rule == Id) is { } damage)
        {
            return damage with { Severity = Severity.Error }; // the first steps have done it, whatever the gradient has become since
        }
        DepthFit fit = observation.GradientOverDepth;
        if (fit.Layers < 8 || fit.Decades > -Decades || fit.FactorPerLayer < Factor || !IsNormalizedChain(observation))
        {
            return null;
        }
        double expected = observation.Prediction?.Depth.FactorPerLayer ?? double.NaN;
        // Theory knows whether the factor is the normalization's own; a rate that is too large has another one.
        if (!double.IsNaN(expected) && expected < 1 + (Factor - 1) / 2)
        {
            return null;
        }
        LayerTrace first = observation.Layers[0], last = observation.Layers[^1];
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = observation.LossStands ? Severity.Error : Severity.Warning,
            Cause = Causes.Exploding,
            Layers = [.. observation.Layers.Where(layer => layer.LogGradient > last.LogGradient + Decades).Select(layer => layer.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = Math.Round(Math.Min(0.95, 0.7 + 0.1 * (-fit.Decades - Decades)), 3),
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("gradient_factor_per_layer", new Evidence(fit.FactorPerLayer, expected))
                .Add("decades_gained", new Evidence(-fit.Decades, Decades)),
            Explanation = $"The gradient grows by ×{Number(fit.FactorPerLayer)} per layer on its way back{(double.IsNaN(expected) ? "" : $" (theory: ×{Number(expected)})")}, by {Number(Math.Round(-fit.Decades, 1))} decades from {last.Layer.Name} to {first.Layer.Name}; {Decades} is the limit.",
            Action = "Put skip connections around the layers, or use fewer layers.",
            Details = "Batch normalization in a chain multiplies the gradient by more than 1 at each layer, whatever the weights' scale, since it divides by a deviation that depends on the batch. Only the depth decides how far it gets; a skip connection takes the product away.",
            RuledOut = [$"initial weights: normalization takes their scale out again, so that the factor of {Number(fit.FactorPerLayer)} is the same at any scale"],
            Remedies = ["residual", "activation", "clip_norm"],
        };
    }

    /// <summary>Batch normalization for most layers, and no sum that could lead around one.</summary>
    private static bool IsNormalizedChain(Observation observation) =>
        2 * observation.Network.Nodes.Count(node => node.Op is BatchNorm) >= observation.Layers.Count && !observation.Network.Nodes.Any(node => node.Op is Add or GatedSum or Concat);
}
