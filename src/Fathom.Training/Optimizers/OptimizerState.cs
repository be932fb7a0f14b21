using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;
using Fathom.Training.Clipping;
using Fathom.Training.Execution;

namespace Fathom.Training.Optimizers;

/// <summary>
/// The state tensors of an optimizer for the parameters of one store, and the step over all of them. Parameters are cut
/// into pieces that stay in cache; the cut does not depend on the number of threads, so neither does any result.
/// </summary>
public sealed class OptimizerState<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Elements of a piece.</summary>
    public const int PieceLength = 2048;

    private readonly ParameterStore<T> store;
    private readonly ParameterSlice[] slices;
    private readonly Dictionary<string, int> indices = [];
    private readonly AlignedMemory<T>[] memory;
    private readonly Buffer<T>[] states;
    private readonly Piece[] pieces;
    private readonly UpdateSum[] sums;
    private readonly TensorSums[] gathered;
    private readonly double[] factors;

    /// <param name="store">The parameters. Non-trainable ones are left alone.</param>
    /// <param name="optimizer">Says how many state tensors there are and where they start.</param>
    public OptimizerState(ParameterStore<T> store, Optimizer optimizer)
    {
        this.store = store;
        Kind = optimizer.Kind;
        slices = [.. store.Slices.Where(slice => slice.Trainable)];
        List<Piece> list = [];
        for (int i = 0; i < slices.Length; i++)
        {
            indices.Add(slices[i].Name, i);
            for (int start = 0; start < slices[i].Length; start += PieceLength)
            {
                list.Add(new Piece(i, slices[i].Offset + start, Math.Min(PieceLength, slices[i].Length - start)));
            }
        }
        pieces = [.. list];
        sums = new UpdateSum[pieces.Length];
        gathered = new TensorSums[optimizer.IsTensorwise ? pieces.Length : 0];
        factors = new double[slices.Length];
        Array.Fill(factors, 1);
        memory = new AlignedMemory<T>[optimizer.StateCount];
        states = new Buffer<T>[memory.Length];
        for (int i = 0; i < memory.Length; i++)
        {
            memory[i] = new AlignedMemory<T>(store.Values.Length);
            states[i] = memory[i].Buffer;
            states[i].Span.Fill(T.CreateTruncating(optimizer.InitialState(i)));
        }
    }

    /// <summary>Kind of the optimizer that this state belongs to.</summary>
    public string Kind { get; }

    /// <summary>The trainable parameters, in the order of the update sizes.</summary>
    public IReadOnlyList<ParameterSlice> Slices => slices;

    /// <summary>Position of a trainable parameter among the update sizes.</summary>
    public int IndexOf(string parameter) => indices.TryGetValue(parameter, out int index)
        ? index
        : throw new TrainingException($"no trainable parameter is named '{parameter}'");

    /// <summary>One step over all trainable parameters. Allocates nothing; the gradients stay as they are.</summary>
    /// <param name="optimizer">The rule; of the kind that the state was made for.</param>
    /// <param name="learningRate">Learning rate of this step.</param>
    /// <param name="step">Number of the step, counted from 1.</param>
    /// <param name="updates">Receives what changed, for each of <see cref="Slices"/>; empty if nobody wants to know, which saves measuring it.</param>
    /// <param name="pool">The workers.</param>
    public void Step(Optimizer optimizer, double learningRate, long step, Span<UpdateSize> updates, WorkerPool pool)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        if (optimizer.Kind != Kind || optimizer.StateCount != states.Length)
        {
            throw new TrainingException($"the optimizer state belongs to {Kind} with {states.Length} tensors per parameter, not to {optimizer.Kind} with {optimizer.StateCount}");
        }
        if (updates.Length != slices.Length && !updates.IsEmpty)
        {
            throw new TrainingException($"{updates.Length} update sizes are given for {slices.Length} trainable parameters");
        }
        StepJob job = new() { State = this, Optimizer = optimizer, LearningRate = learningRate, Step = step, StepNumber = optimizer.NumberForStep(step), Measures = !updates.IsEmpty };
        if (optimizer.IsTensorwise)
        {
            Gather(job, pool);
        }
        pool.Run(ref job, pieces.Length);
        int piece = 0;
        for (int i = 0; i < updates.Length; i++)
        {
            UpdateSum sum = default;
            for (; piece < pieces.Length && pieces[piece].Slice == i; piece++)
            {
                sum.Add(in sums[piece]);
            }
            updates[i] = sum.ToSize();
        }
    }

    /// <summary>The first pass of a tensorwise optimizer: one factor for each parameter.</summary>
    private void Gather(StepJob job, WorkerPool pool)
    {
        Array.Fill(factors, 1);
        job.Gathers = true;
        pool.Run(ref job, pieces.Length);
        int piece = 0;
        for (int i = 0; i < slices.Length; i++)
        {
            TensorSums sum = default;
            for (; piece < pieces.Length && pieces[piece].Slice == i; piece++)
            {
                sum += gathered[piece];
            }
            factors[i] = job.Optimizer.TensorFactor(in sum, slices[i].Length);
        }
    }

    /// <summary>L2 norm over the gradients of all trainable parameters, in double.</summary>
    public double GradientNorm(WorkerPool pool)
    {
        NormJob job = new() { State = this };
        pool.Run(ref job, pieces.Length);
        double sum = 0;
        foreach (ref readonly UpdateSum piece in sums.AsSpan())
        {
            sum += piece.Squares;
        }
        return Math.Sqrt(sum);
    }

    /// <summary>The names of the state's tensors, <c>optimizer.PARAMETER.INDEX</c>.</summary>
    public IEnumerable<string> TensorNames => slices.SelectMany(slice => Enumerable.Range(0, states.Length).Select(state => NameOf(slice, state)));

    /// <summary>The state as arrays, named <c>optimizer.PARAMETER.INDEX</c>.</summary>
    public IReadOnlyDictionary<string, T[]> Export()
    {
        Dictionary<string, T[]> result = [];
        foreach (ParameterSlice slice in slices)
        {
            for (int i = 0; i < states.Length; i++)
            {
                result[NameOf(slice, i)] = states[i].Slice(slice.Offset, slice.Length).Span.ToArray();
            }
        }
        return result;
    }

    /// <summary>Takes over an exported state; other names are ignored.</summary>
    /// <exception cref="TrainingException">An array is missing or has the wrong length; nothing has changed then.</exception>
    public void Import(IReadOnlyDictionary<string, T[]> tensors)
    {
        foreach (ParameterSlice slice in slices)
        {
            for (int i = 0; i < states.Length; i++)
            {
                string name = NameOf(slice, i);
                if (!tensors.TryGetValue(name, out T[]? state))
                {
                    throw new TrainingException($"the state of {Kind} has no tensor '{name}'; it belongs to another network or optimizer");
                }
                if (state.Length != slice.Length)
                {
                    throw new TrainingException($"the tensor '{name}' has {state.Length} elements; the parameter has {slice.Length}");
                }
            }
        }
        foreach (ParameterSlice slice in slices)
        {
            for (int i = 0; i < states.Length; i++)
            {
                tensors[NameOf(slice, i)].CopyTo(states[i].Slice(slice.Offset, slice.Length).Span);
            }
        }
    }

    /// <summary>Makes denormal numbers of the state zeros: those of a file, or of a step where the hardware cannot.</summary>
    internal void FlushDenormals(WorkerPool pool)
    {
        foreach (Buffer<T> state in states)
        {
            FlushToZero.Apply(state, pool);
        }
    }

    public void Dispose()
    {
        foreach (AlignedMemory<T> state in memory)
        {
            state.Dispose();
        }
    }

    private static string NameOf(ParameterSlice slice, int state) => FormattableString.Invariant($"optimizer.{slice.Name}.{state}");

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

        public readonly void Execute(int part, int worker)
        {
            if (Optimizer.NeedsOnePass)
            {
                OnePass(part);
            }
            else
            {
                Update(part);
            }
        }

        [SkipLocalsInit]
        private readonly unsafe void OnePass(int part)
        {
            Piece piece = State.pieces[part];
            T* delta = stackalloc T[PieceLength];
            Buffer<T> values = State.store.Values.Slice(piece.Offset, piece.Length);
            OnePass<T> pass = new()
            {
                Values = values.Pointer,
                Gradient = State.store.Gradients.Slice(piece.Offset, piece.Length).Pointer,
                States = State.states,
                Offset = piece.Offset,
                Length = piece.Length,
                Delta = Measures ? delta : null,
                LearningRate = LearningRate,
                Step = Step,
            };
            Optimizer.UpdateInOnePass(in pass);
            if (Measures)
            {
                State.sums[part] = UpdateSum.Apply(values.Pointer, delta, piece.Length);
            }
        }

        [SkipLocalsInit]
        private readonly unsafe void Update(int part)
        {
            Piece piece = State.pieces[part];
            T* delta = stackalloc T[PieceLength];
            T* gradient = stackalloc T[PieceLength];
            T* scratch = stackalloc T[PieceLength];
            Buffer<T> values = State.store.Values.Slice(piece.Offset, piece.Length);
            // A copy, so that the gradients can still be looked at after the step.
            State.store.Gradients.Slice(piece.Offset, piece.Length).Span.CopyTo(new Span<T>(gradient, piece.Length));
            UpdateScope<T> scope = new()
            {
                Values = values,
                Gradient = new Span<T>(gradient, piece.Length),
                Delta = new Span<T>(delta, piece.Length),
                Scratch = new Span<T>(scratch, piece.Length),
                States = State.states,
                Offset = piece.Offset,
                LearningRate = LearningRate,
                Step = Step,
                StepNumber = StepNumber,
                TensorFactor = State.factors[piece.Slice],
                IsVector = State.slices[piece.Slice].Shape.Rank <= 1,
            };
            if (Gathers)
            {
                State.gathered[part] = Optimizer.Gather(in scope);
                return;
            }
            Optimizer.Update(in scope);
            State.sums[part] = UpdateSum.Apply(values.Pointer, delta, piece.Length);
        }
    }

    private struct NormJob : IParallelJob
    {
        public OptimizerState<T> State;

        public readonly void Execute(int part, int worker)
        {
            Piece piece = State.pieces[part];
            Buffer<T> gradient = State.store.Gradients.Slice(piece.Offset, piece.Length);
            State.sums[part] = new UpdateSum(Clipping.GradientNorm.SumOfSquares<T>(gradient), 0, 0, 0);
        }
    }
}
