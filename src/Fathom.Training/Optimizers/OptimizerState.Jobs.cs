using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Fathom.Compute;
using Fathom.Training.Execution;

namespace Fathom.Training.Optimizers;

/// <content>What is done with a piece of a parameter.</content>
public sealed partial class OptimizerState<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly record struct Piece(int Slice, int Offset, int Length);

    private struct StepJob : IParallelJob
    {
        public OptimizerState<T> State;
        public Optimizer Optimizer;
        public double LearningRate;
        public long Step;
        public double StepNumber;
        public bool Gathers;
        public bool Measures;
        public ParameterWatch<T>? Watch;
        public bool WantsNorm;
        public bool Waits;

        /// <summary>The pieces that the parts are; null for those from <see cref="First"/> on.</summary>
        public int[]? Pieces;
        public int First;

        [SkipLocalsInit]
        public readonly unsafe void Execute(int part, int worker)
        {
            part = Pieces is null ? First + part : Pieces[part];
            Piece piece = State.pieces[part];
            Buffer<T> values = State.store.Values.Slice(piece.Offset, piece.Length);
            Buffer<T> gradient = State.store.Gradients.Slice(piece.Offset, piece.Length);
            T* old = stackalloc T[PieceMeasure<T>.BlockLength];
            byte* memory = stackalloc byte[2 * StatisticsPass<T>.MemoryBytes];
            bool whole = piece.Length == State.slices[piece.Slice].Length && !Gathers;
            if (whole)
            {
                Watch?.Begin(piece.Slice, piece.Length);
            }
            PieceMeasure<T> measure = Watch is null || Gathers
                ? new PieceMeasure<T>(WantsNorm, Measures && !Gathers ? old : null)
                : new PieceMeasure<T>(WantsNorm, Measures ? old : null, Watch, piece.Slice, values, gradient, memory);
            if (Gathers)
            {
                State.gathered[part] = Passes(piece, ref measure);
                return;
            }
            if (Optimizer.NeedsOnePass)
            {
                OnePass<T> pass = new()
                {
                    Values = values,
                    Gradient = gradient,
                    States = State.states,
                    Offset = piece.Offset,
                    Measure = &measure,
                    LearningRate = LearningRate,
                    Step = Step,
                };
                Optimizer.UpdateInOnePass(in pass);
            }
            else
            {
                Passes(piece, ref measure);
            }
            State.sums[part] = measure.Update;
            State.squares[part] = measure.GradientSquares;
            if (Watch is not null)
            {
                measure.Complete(Watch, piece.Slice, part);
                if (whole)
                {
                    Watch.End(piece.Slice, part, 1);
                }
            }
        }

        /// <summary>An update rule in several passes over each block, or what a tensorwise one gathers before.</summary>
        [SkipLocalsInit]
        private readonly unsafe TensorSums Passes(Piece piece, ref PieceMeasure<T> measure)
        {
            T* delta = stackalloc T[PieceMeasure<T>.BlockLength];
            T* gradient = stackalloc T[PieceMeasure<T>.BlockLength];
            T* scratch = stackalloc T[PieceMeasure<T>.BlockLength];
            TensorSums gathered = default;
            for (int start = 0; start < piece.Length; start += PieceMeasure<T>.BlockLength)
            {
                int length = Math.Min(PieceMeasure<T>.BlockLength, piece.Length - start);
                Buffer<T> values = State.store.Values.Slice(piece.Offset + start, length);
                Buffer<T> untouched = State.store.Gradients.Slice(piece.Offset + start, length);
                // A copy, so that the gradients can still be looked at after the step.
                untouched.Span.CopyTo(new Span<T>(gradient, length));
                UpdateScope<T> scope = new()
                {
                    Values = values,
                    Gradient = new Span<T>(gradient, length),
                    Delta = new Span<T>(delta, length),
                    Scratch = new Span<T>(scratch, length),
                    States = State.states,
                    Offset = piece.Offset + start,
                    LearningRate = LearningRate,
                    Step = Step,
                    StepNumber = StepNumber,
                    TensorFactor = State.factors[piece.Slice],
                    IsVector = State.slices[piece.Slice].Shape.Rank <= 1,
                };
                if (Gathers)
                {
                    gathered += Optimizer.Gather(in scope);
                    continue;
                }
                measure.Before(values, untouched, values.Pointer);
                Optimizer.Update(in scope);
                if (measure.Old != null)
                {
                    values.Span.CopyTo(new Span<T>(measure.Old, length));
                }
                TensorPrimitives.Add(values.Span, new ReadOnlySpan<T>(delta, length), values.Span);
                measure.After(values, untouched.Pointer + length);
            }
            return gathered;
        }
    }

    private struct NormJob : IParallelJob
    {
        public OptimizerState<T> State;

        public readonly void Execute(int part, int worker)
        {
            Piece piece = State.pieces[part];
            double sum = 0;
            for (int start = 0; start < piece.Length; start += PieceMeasure<T>.BlockLength)
            {
                sum += Statistics.SumOfSquares(State.store.Gradients.Slice(piece.Offset + start, Math.Min(PieceMeasure<T>.BlockLength, piece.Length - start)));
            }
            State.squares[part] = sum;
        }
    }
}
