using System.Numerics;
using Fathom.Compute;
using Fathom.Training.Execution;

namespace Fathom.Training.Optimizers;

/// <content>A step that begins before all gradients are there, and takes each parameter as soon as its gradient is.</content>
public sealed partial class OptimizerState<T> : IParameterUpdate where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly int[] firstPieces;
    private readonly bool[] updated;
    private readonly int[] rest;
    private StepJob current;

    /// <summary>Begins a step. Parameters may then be updated one by one; <see cref="End"/> updates those that are left.</summary>
    /// <param name="optimizer">The rule; not a tensorwise one if parameters are updated before the end.</param>
    /// <param name="learningRate">Learning rate of this step.</param>
    /// <param name="step">Number of the step, counted from 1.</param>
    /// <param name="measures">Whether what changes is measured.</param>
    /// <param name="watch">Where statistics of parameters and gradients go; null for nowhere.</param>
    /// <param name="wantsNorm">Whether the gradients' norm is asked for.</param>
    internal void Begin(Optimizer optimizer, double learningRate, long step, bool measures, ParameterWatch<T>? watch, bool wantsNorm)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        if (optimizer.Kind != Kind || optimizer.StateCount != states.Length)
        {
            throw new TrainingException($"the optimizer state belongs to {Kind} with {states.Length} tensors per parameter, not to {optimizer.Kind} with {optimizer.StateCount}");
        }
        Array.Clear(updated);
        current = new StepJob
        {
            State = this, Optimizer = optimizer, LearningRate = learningRate, Step = step, StepNumber = optimizer.NumberForStep(step),
            Measures = measures, Watch = watch, WantsNorm = wantsNorm,
        };
    }

    /// <summary>Updates the parameters that are left, and adds up what was found about all.</summary>
    /// <param name="updates">Receives what changed, or is empty.</param>
    /// <param name="pool">The workers.</param>
    /// <returns>What <see cref="GradientNorm"/> gives, to the bit, if asked for.</returns>
    internal double End(Span<UpdateSize> updates, WorkerPool pool)
    {
        if (updates.Length != slices.Length && !updates.IsEmpty)
        {
            throw new TrainingException($"{updates.Length} update sizes are given for {slices.Length} trainable parameters");
        }
        if (current.Optimizer.IsTensorwise)
        {
            Gather(current, pool);
        }
        int count = 0;
        for (int slice = 0; slice < slices.Length; slice++)
        {
            if (updated[slice])
            {
                continue;
            }
            current.Watch?.Begin(slice, slices[slice].Length);
            for (int piece = firstPieces[slice]; piece < firstPieces[slice + 1]; piece++)
            {
                rest[count++] = piece;
            }
        }
        RestJob job = new() { State = this };
        pool.Run(ref job, count);
        Collect(updates, current.Watch);
        return current.WantsNorm ? JoinSquares() : double.NaN;
    }

    void IParameterUpdate.Apply(ParameterSlice parameter, WorkerPool workers)
    {
        if (!indices.TryGetValue(parameter.Name, out int slice))
        {
            return; // not trainable
        }
        updated[slice] = true;
        current.Watch?.Begin(slice, parameter.Length);
        SliceJob job = new() { State = this, First = firstPieces[slice] };
        workers.Run(ref job, firstPieces[slice + 1] - job.First);
    }

    private struct SliceJob : IParallelJob
    {
        public OptimizerState<T> State;
        public int First;

        public readonly void Execute(int part, int worker) => State.current.Execute(First + part, worker);
    }

    private struct RestJob : IParallelJob
    {
        public OptimizerState<T> State;

        public readonly void Execute(int part, int worker) => State.current.Execute(State.rest[part], worker);
    }
}
