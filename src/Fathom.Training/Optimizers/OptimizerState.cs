using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Fathom.Compute;
using Fathom.Training.Execution;

namespace Fathom.Training.Optimizers;

/// <summary>
/// The state tensors of an optimizer for the parameters of one store, and the step over all of them. Parameters are cut
/// into pieces that stay in cache; the cut does not depend on the number of threads, so neither does any result.
/// </summary>
public sealed class OptimizerState<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Elements of a piece.</summary>
    public const int PieceLength = 8 * PieceMeasure<T>.BlockLength;

    private readonly ParameterStore<T> store;
    private readonly ParameterSlice[] slices;
    private readonly Dictionary<string, int> indices = [];
    private readonly AlignedMemory<T>[] memory;
    private readonly Buffer<T>[] states;
    private readonly Piece[] pieces;
    private readonly UpdateSum[] sums;
    private readonly double[] squares;
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
        squares = new double[pieces.Length];
        gathered = new TensorSums[optimizer.IsTensorwise ? pieces.Length : 0];
        factors = new double[slices.Length];
        Array.Fill(factors, 1);
        memory = new AlignedMemory<T>[optimizer.StateCount];
        states = new Buffer<T>[memory.Length];
        for (int i = 0; i < memory.Length; i++)
        {
            memory[i] = new AlignedMemory<T>(store.Values.Length);
            states[i] = memory[i].Buffer;
        }
        Reset(optimizer);
    }

    /// <summary>Forgets all steps: every state as it is before the first.</summary>
    /// <param name="optimizer">The rule that the state was made for.</param>
    public void Reset(Optimizer optimizer)
    {
        for (int i = 0; i < states.Length; i++)
        {
            states[i].Span.Fill(T.CreateTruncating(optimizer.InitialState(i)));
        }
    }

    /// <summary>Kind of the optimizer that this state belongs to.</summary>
    public string Kind { get; }

    /// <summary>The trainable parameters, in the order of the update sizes.</summary>
    public IReadOnlyList<ParameterSlice> Slices => slices;

    /// <summary>The state tensors, laid out as the store's parameters are.</summary>
    internal ReadOnlySpan<Buffer<T>> States => states;

    /// <summary>One of the state tensors of a parameter.</summary>
    internal ReadOnlySpan<T> StateOf(ParameterSlice parameter, int state) => states[state].Slice(parameter.Offset, parameter.Length).Span;

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
    public void Step(Optimizer optimizer, double learningRate, long step, Span<UpdateSize> updates, WorkerPool pool) =>
        Step(optimizer, learningRate, step, updates, null, wantsNorm: false, pool);

    /// <summary>The same; on its way it measures what it passes over.</summary>
    /// <param name="optimizer">The rule.</param>
    /// <param name="learningRate">Learning rate of this step.</param>
    /// <param name="step">Number of the step, counted from 1.</param>
    /// <param name="updates">Receives what changed, or is empty.</param>
    /// <param name="watch">Where statistics of parameters and gradients go; null for nowhere.</param>
    /// <param name="wantsNorm">Whether the gradients' norm is asked for.</param>
    /// <param name="pool">The workers.</param>
    /// <returns>What <see cref="GradientNorm"/> gives, to the bit, if asked for.</returns>
    internal double Step(Optimizer optimizer, double learningRate, long step, Span<UpdateSize> updates, ParameterWatch<T>? watch, bool wantsNorm, WorkerPool pool)
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
        StepJob job = new()
        {
            State = this, Optimizer = optimizer, LearningRate = learningRate, Step = step, StepNumber = optimizer.NumberForStep(step),
            Measures = !updates.IsEmpty, Watch = watch, WantsNorm = wantsNorm,
        };
        if (optimizer.IsTensorwise)
        {
            Gather(job, pool);
        }
        BeginDivided(watch);
        pool.Run(ref job, pieces.Length);
        Collect(updates, watch);
        return wantsNorm ? JoinSquares() : double.NaN;
    }

    /// <summary>L2 norm over the gradients of all trainable parameters, in double.</summary>
    public double GradientNorm(WorkerPool pool)
    {
        NormJob job = new() { State = this };
        pool.Run(ref job, pieces.Length);
        return JoinSquares();
    }

    /// <summary>
    /// Prepares the statistics of parameters that several pieces belong to, perhaps on several threads. Those in one piece
    /// are begun and ended with it, so that they stay in one processor's cache.
    /// </summary>
    private void BeginDivided(ParameterWatch<T>? watch)
    {
        for (int i = 0; watch is not null && i < slices.Length; i++)
        {
            if (slices[i].Length > PieceLength)
            {
                watch.Begin(i, slices[i].Length);
            }
        }
    }

    /// <summary>Adds up what the pieces found, in their order.</summary>
    private void Collect(Span<UpdateSize> updates, ParameterWatch<T>? watch)
    {
        if (updates.IsEmpty && watch is null)
        {
            return;
        }
        int piece = 0;
        for (int i = 0; i < slices.Length; i++)
        {
            UpdateSum sum = default;
            int first = piece;
            for (; piece < pieces.Length && pieces[piece].Slice == i; piece++)
            {
                sum.Add(in sums[piece]);
            }
            if (!updates.IsEmpty)
            {
                updates[i] = sum.ToSize();
            }
            if (piece - first > 1)
            {
                watch?.End(i, first, piece - first);
            }
        }
    }

    private double JoinSquares()
    {
        double sum = 0;
        foreach (double piece in squares)
        {
            sum += piece;
        }
        return Math.Sqrt(sum);
    }

    /// <summary>Watches parameters and their gradients by the probes of these numbers, for each of <see cref="Slices"/>.</summary>
    internal ParameterWatch<T> CreateWatch(ProbeSet<T> probes, int[] values, int[] gradients) => new(probes, values, gradients, pieces.Length);

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

    /// <summary>The names of the state's tensors, <c>optimizer.PARAMETER.INDEX</c>.</summary>
    public IEnumerable<string> TensorNames => slices.SelectMany(NamesOf);

    /// <summary>The names of one parameter's state tensors.</summary>
    public IEnumerable<string> NamesOf(ParameterSlice slice) => Enumerable.Range(0, states.Length).Select(state => NameOf(slice, state));

    /// <summary>One parameter's state tensors.</summary>
    public IEnumerable<T[]> Export(ParameterSlice slice) => states.Select(state => state.Slice(slice.Offset, slice.Length).Span.ToArray());

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
        public ParameterWatch<T>? Watch;
        public bool WantsNorm;

        [SkipLocalsInit]
        public readonly unsafe void Execute(int part, int worker)
        {
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
                measure.Before(values, untouched, values.Pointer, values.Pointer);
                Optimizer.Update(in scope);
                if (measure.Old != null)
                {
                    values.Span.CopyTo(new Span<T>(measure.Old, length));
                }
                TensorPrimitives.Add(values.Span, new ReadOnlySpan<T>(delta, length), values.Span);
                measure.After(values);
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
