using System.Numerics;
using Fathom.Compute;
using Fathom.Training.Execution;

namespace Fathom.Training.Optimizers;

/// <summary>
/// The state tensors of an optimizer for the parameters of one store, and the step over all of them. Parameters are cut
/// into pieces that stay in cache; the cut does not depend on the number of threads, so neither does any result.
/// </summary>
public sealed partial class OptimizerState<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
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

    /// <summary>The first piece of each parameter, and behind them the number of pieces.</summary>
    private readonly int[] firstPieces;

    /// <summary>Parameters that the step in hand has updated already.</summary>
    private readonly bool[] updated;

    /// <summary>Pieces that are left to the step's end.</summary>
    private readonly int[] left;

    private StepJob begun;

    /// <param name="store">The parameters. Non-trainable ones are left alone.</param>
    /// <param name="optimizer">Says how many state tensors there are and where they start.</param>
    public OptimizerState(ParameterStore<T> store, Optimizer optimizer)
    {
        this.store = store;
        Kind = optimizer.Kind;
        slices = [.. store.Slices.Where(slice => slice.Trainable)];
        List<Piece> list = [];
        firstPieces = new int[slices.Length + 1];
        for (int i = 0; i < slices.Length; i++)
        {
            indices.Add(slices[i].Name, i);
            firstPieces[i] = list.Count;
            for (int start = 0; start < slices[i].Length; start += PieceLength)
            {
                list.Add(new Piece(i, slices[i].Offset + start, Math.Min(PieceLength, slices[i].Length - start)));
            }
        }
        pieces = [.. list];
        firstPieces[^1] = pieces.Length;
        updated = new bool[slices.Length];
        left = new int[pieces.Length];
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

    /// <summary>What an update of one parameter reads beside its gradient: its values, and its stretch of each state.</summary>
    /// <param name="parameter">As <see cref="IndexOf"/> gives it.</param>
    /// <param name="read">Receives them, in addition to what it holds.</param>
    internal void AddReads(int parameter, List<Buffer<T>> read)
    {
        ParameterSlice slice = slices[parameter];
        read.Add(store.Value(slice));
        foreach (Buffer<T> state in states)
        {
            read.Add(state.Slice(slice.Offset, slice.Length));
        }
    }

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
        Begin(optimizer, learningRate, step, measures: !updates.IsEmpty, watch, wantsNorm);
        return End(updates, pool);
    }

    /// <summary>
    /// Begins a step that <see cref="End"/> ends. Between the two a parameter may be updated by itself, as soon as its gradient is
    /// complete and nobody is going to read its value: both are in cache then. Parameters know nothing of each other, so that
    /// neither values nor statistics depend on when that is.
    /// </summary>
    /// <param name="optimizer">The rule; if it is tensorwise, all parameters wait for the end.</param>
    /// <param name="learningRate">Learning rate of this step.</param>
    /// <param name="step">Number of the step, counted from 1.</param>
    /// <param name="measures">Whether anybody wants to know what changed.</param>
    /// <param name="watch">Where statistics of parameters and gradients go; null for nowhere.</param>
    /// <param name="wantsNorm">Whether the gradients' norm is asked for.</param>
    /// <param name="waits">Whether all parameters wait for the end, as for a gradient that is still to be bounded.</param>
    internal void Begin(Optimizer optimizer, double learningRate, long step, bool measures, ParameterWatch<T>? watch, bool wantsNorm, bool waits = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        if (optimizer.Kind != Kind || optimizer.StateCount != states.Length)
        {
            throw new TrainingException($"the optimizer state belongs to {Kind} with {states.Length} tensors per parameter, not to {optimizer.Kind} with {optimizer.StateCount}");
        }
        begun = new StepJob
        {
            State = this, Optimizer = optimizer, LearningRate = learningRate, Step = step, StepNumber = optimizer.NumberForStep(step),
            Measures = measures, Watch = watch, WantsNorm = wantsNorm, Waits = waits || optimizer.IsTensorwise,
        };
        Array.Clear(updated);
        BeginDivided(watch);
    }

    /// <summary>How many parameters the last step updated before its end.</summary>
    internal int UpdatedEarly => updated.Count(early => early);

    /// <summary>Asks memory for the statistics of a parameter that is about to be updated.</summary>
    internal void FetchStatistics(int slice) => begun.Watch?.Fetch(slice);

    /// <summary>Updates one parameter of the step that has begun; others may be updated meanwhile.</summary>
    /// <param name="slice">Its position among <see cref="Slices"/>.</param>
    /// <param name="pool">The workers.</param>
    internal void Update(int slice, WorkerPool pool)
    {
        if (begun.Waits)
        {
            return;
        }
        updated[slice] = true;
        StepJob job = begun;
        job.First = firstPieces[slice];
        int count = firstPieces[slice + 1] - job.First;
        if (count == 1)
        {
            job.Execute(0, 0);
        }
        else
        {
            pool.Run(ref job, count);
        }
    }

    /// <summary>Updates the parameters that are left. Allocates nothing.</summary>
    /// <param name="updates">Receives what changed, for each of <see cref="Slices"/>; empty if nobody wants to know.</param>
    /// <param name="pool">The workers.</param>
    /// <returns>What <see cref="GradientNorm"/> gives, to the bit, if asked for.</returns>
    internal double End(Span<UpdateSize> updates, WorkerPool pool)
    {
        if (updates.Length != slices.Length && !updates.IsEmpty)
        {
            throw new TrainingException($"{updates.Length} update sizes are given for {slices.Length} trainable parameters");
        }
        if (begun.Optimizer.IsTensorwise)
        {
            Gather(begun, pool);
        }
        int count = 0;
        for (int i = 0; i < slices.Length; i++)
        {
            for (int piece = firstPieces[i]; piece < firstPieces[i + 1] && !updated[i]; piece++)
            {
                left[count++] = piece;
            }
        }
        StepJob job = begun;
        job.Pieces = left;
        pool.Run(ref job, count);
        Collect(updates, begun.Watch);
        return begun.WantsNorm ? JoinSquares() : double.NaN;
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
}
