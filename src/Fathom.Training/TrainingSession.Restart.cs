using Fathom.Compute;
using Fathom.Training.Regularization;

namespace Fathom.Training;

/// <content>Starting over with other weights, without planning anew.</content>
public sealed partial class TrainingSession
{
    /// <summary>
    /// Starts over with another seed of weights, dropout and noise: no step has been taken, optimizer, clipping and schedule
    /// remember nothing. The order of the data stays that of the plan's first seed, so that step 0 sees the same batch.
    /// </summary>
    /// <param name="seed">The seed.</param>
    public void Restart(ulong seed)
    {
        Model = Model with { Plan = Model.Plan with { Seed = seed } };
        (NextStep, prepared, LearningRateScale) = (0, false, 1);
        feedback = Model.Plan.Schedule.CreateFeedback();
        Array.Clear(clippingState);
        Optimizer.Reset(Model.Plan.Optimizer);
        regularizers.Dispose();
        regularizers = new RegularizerSet<float>(Model.Graph, Parameters, Model.Plan.Regularization, seed);
        Parameters.Initialize(seed);
        FlushToZero.Apply(Parameters.Values, Pool);
    }
}
