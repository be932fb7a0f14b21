using System.Collections.Immutable;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Smaller batches where the run has too few steps to get anywhere, larger ones where a rule says that batches are too noisy.</summary>
public sealed class BatchSizeChange : Remedy
{
    private const int Factor = 4, Smallest = 8, Largest = 1024;

    /// <summary>Batches from the first size on are made as small as the second at once: a quarter of them still leaves few steps.</summary>
    private const int Large = 256, Usual = 32;

    /// <summary>Steps of a run below which more of them are worth more than quieter ones.</summary>
    private const int FewSteps = 300;

    public override string Kind => "batch_size";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "smaller: a run of fewer than 300 steps that moves too little, or of fewer than 1,000 whose cure learns too slowly, batch of 32 or more; larger: a rule asks for it, batch at most a quarter of the rows; the number of rows must be known";

    public override string Effect => "a quarter of the batch, 32 rows in place of 256 and more, takes four times the steps and more in the same epochs; four times the batch halves the gradient's noise";

    public override string Source => "Smith et al. 2018; McCandlish et al. 2018 (noise scale)";

    protected override ImmutableArray<string>? MadeFor => [Causes.LearningRateTooSmall];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (history.Has(Causes.LearningRateTooSmall) && Smaller(model, history, FewSteps) is { } smaller)
        {
            yield return smaller;
            yield break;
        }
        if (history.Data is not { Count: > 0 } data || model.Plan.Accumulate > 1)
        {
            yield break;
        }
        int batch = Math.Min(model.Plan.BatchSize, data.Count);
        if (history.Asks(Kind) && !history.Has(Causes.LearningRateTooSmall) && batch <= data.Count / Factor && batch * Factor <= Largest)
        {
            yield return Sized(batch * Factor);
        }
    }

    /// <summary>A quarter of the batch, or 32 rows in place of 256 and more, for a run of fewer steps than these; null if it has more, or small batches already.</summary>
    internal Prescription? Smaller(ModelDefinition model, CaseHistory history, int fewSteps)
    {
        int batch = Math.Min(model.Plan.BatchSize, history.Data?.Count ?? 0);
        return history.Steps(model.Plan) < fewSteps && model.Plan.Accumulate <= 1 && batch >= Factor * Smallest ? Sized(batch >= Large ? Usual : batch / Factor) : null;
    }

    private Prescription Sized(int batch) => new(this, $"batch of {batch}", old => old with { Plan = old.Plan with { BatchSize = batch } });
}
