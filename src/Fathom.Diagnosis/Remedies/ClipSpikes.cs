using System.Collections.Immutable;
using Fathom.Training;
using Fathom.Training.Clipping;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Cuts only gradients that stand out from those before them (ZClip).</summary>
public sealed class ClipSpikes : Remedy
{
    /// <summary>Steps of a run below which the average that spikes are held against is never settled.</summary>
    private const int FewestSteps = 100;

    public override string Kind => "clip_spikes";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "no clipping yet; a run of 100 steps or more";

    public override string Effect => "a gradient 2.5 deviations above the running mean of the norm is cut back, all others stay whole, and the bound follows the run";

    public override string Source => "Kumar et al. 2025, algorithm 1 (z = 2.5, α = 0.97, 25 steps of warm-up)";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (model.Plan.Clipping is null && history.Steps(model.Plan) is null or >= FewestSteps)
        {
            yield return new Prescription(this, "clip spikes of the gradient's norm (ZClip)", old => old with { Plan = old.Plan with { Clipping = new ZClip() } });
        }
    }
}
