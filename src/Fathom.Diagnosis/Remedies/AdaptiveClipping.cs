using System.Collections.Immutable;
using Fathom.Training;
using Fathom.Training.Clipping;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Bounds each unit's gradient by the size of its own weights (AGC).</summary>
public sealed class AdaptiveClipping : Remedy
{
    public override string Kind => "clip_adaptive";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "no clipping yet, and steps that follow the gradient's size (SGD); gradients that explode";

    public override string Effect => "no unit's gradient is above 1 % of its weights, whatever the layer's scale, so that one bound serves all layers";

    public override string Source => "Brock et al. 2021, equation 3";

    protected override ImmutableArray<string>? MadeFor => [Causes.Exploding];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (model.Plan.Clipping is null && OptimizerParts.FollowsGradient(model.Plan.Optimizer))
        {
            yield return new Prescription(this, "adaptive gradient clipping", old => old with { Plan = old.Plan with { Clipping = new ClipAdaptively() } });
        }
    }
}
