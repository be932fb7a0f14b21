using Fathom.Compute;
using Fathom.Training.Execution;

namespace Fathom.Training.Replay;

/// <summary>A step done again, node by node: where non-finite values came from, who passed them on, what they left behind.</summary>
/// <param name="Case">The step.</param>
/// <param name="Sweep">Forward and backward pass.</param>
/// <param name="Result">Loss and norms of the step as a run does it.</param>
/// <param name="Updates">Parameters that the step left non-finite, themselves or in the optimizer's state, in the order of the network.</param>
public sealed record StepReplay(StepCase Case, StepSweep Sweep, StepResult Result, IReadOnlyList<OptimizerFacts> Updates)
{
    /// <summary>Whether nothing non-finite was there: the step cannot be what ended a run.</summary>
    public bool IsFinite => Sweep.IsFinite && Updates.Count == 0 && double.IsFinite(Result.Loss);

    /// <summary>The parameters whose non-finite values no forward or backward pass made.</summary>
    public IEnumerable<OptimizerFacts> UpdateProducers => Updates.Where(update => update.Stage != UpdateStage.Backward);

    /// <summary>Does the step.</summary>
    /// <exception cref="TrainingException">The case's parts do not fit each other.</exception>
    public static StepReplay Run(StepCase step, WorkerPool pool)
    {
        using TrainingSession session = step.Open(pool, watch: false);
        StepSweep sweep = session.Sweep();
        Checkpoint before = session.Capture();
        StepResult result = session.Step();
        HashSet<string> tainted = BadGradients(session, sweep);
        OptimizerFacts[] updates = [.. session.Optimizer.Slices.Select(slice => Facts(session, slice, before, result, tainted)).OfType<OptimizerFacts>()];
        return new StepReplay(step, sweep, result, updates);
    }

    /// <summary>The parameters whose gradients were not finite when the backward pass was done.</summary>
    private static HashSet<string> BadGradients(TrainingSession session, StepSweep sweep) =>
        [.. session.Graph.ParameterGradients.Where(pair => sweep.Nodes.Any(node => node.Node == pair.Value.Node && node.Role != NodeRole.Absorber)).Select(pair => pair.Key)];

    private static OptimizerFacts? Facts(TrainingSession session, ParameterSlice slice, Checkpoint before, in StepResult result, HashSet<string> tainted)
    {
        int[] shape = slice.Shape.Bind(1);
        TensorFacts gradient = TensorFacts.Of($"{slice.Name} gradient", shape, session.Parameters.Gradient(slice).Span);
        TensorFacts value = TensorFacts.Of(slice.Name, shape, session.Parameters.Value(slice).Span);
        TensorFacts[] states = [.. session.Optimizer.Export(slice).Select((state, i) => TensorFacts.Of($"{session.Optimizer.Kind} state {i} of {slice.Name}", shape, state))];
        int badState = Array.FindIndex(states, state => !state.IsFinite);
        if (gradient.IsFinite && value.IsFinite && badState < 0)
        {
            return null;
        }
        UpdateStage stage = tainted.Contains(slice.Name) ? UpdateStage.Backward
            : gradient.IsFinite ? UpdateStage.Optimizer
            : session.Model.Plan.Clipping is not null && double.IsFinite(result.GradientNorm) ? UpdateStage.Clipping
            : UpdateStage.Regularization;
        int state = stage == UpdateStage.Optimizer ? badState : -1;
        TensorFacts tensor = stage != UpdateStage.Optimizer ? gradient.IsFinite ? value : gradient : state >= 0 ? states[state] : value;
        int at = tensor.FirstBad;
        return new OptimizerFacts(slice.Name, stage, state, tensor, before.Tensors[slice.Name].Elements[at], session.Parameters.Gradient(slice).Span[at],
            [.. session.Optimizer.NamesOf(slice).Select(name => (double)before.Tensors[name].Elements[at])], gradient);
    }
}
