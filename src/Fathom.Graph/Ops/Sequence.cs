using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// The extents of a sequence and the order in which a recurrent layer reads it. Within a layer tensors are (step, sample, …):
/// a step is one stretch of memory, and all steps together are one matrix.
/// </summary>
internal readonly record struct Sequence(int Samples, int Steps, int Features, int Units, bool Reverse, int Truncate)
{
    private const int LineElements = 16;

    /// <summary>Samples below which sharing them out among threads costs more than it brings.</summary>
    private const int FewestRows = 8;

    public int Rows => Samples * Steps;

    public static Sequence Of(RecurrentLayer layer, int[] x) => new(x[0], x[1], x[2], layer.Units, layer.Reverse, layer.Truncate);

    /// <summary>A number of elements rounded up to whole cache lines.</summary>
    public static int Padded(int elements) => checked((elements + LineElements - 1) / LineElements * LineElements);

    /// <summary>The time at which a step happens: reading backwards begins at the end.</summary>
    public int Time(int step) => Reverse ? Steps - 1 - step : step;

    /// <summary>Whether no gradient goes from this step's start to the step before it.</summary>
    public bool CutBefore(int step) => Truncate > 0 && step > 0 && step % Truncate == 0;

    /// <summary>How many samples one thread takes through all steps, on so many threads.</summary>
    public SampleBlocks Blocks(int threads)
    {
        int each = (Samples + threads - 1) / threads;
        return new SampleBlocks(Samples, Math.Max(FewestRows, (each + 3) / 4 * 4));
    }
}

/// <summary>
/// Blocks of samples, each of which goes through all steps on one thread. Samples do not meet within a layer, and an
/// element of a matrix product does not depend on how many rows there are, so the partition cannot be seen in a result.
/// </summary>
internal readonly record struct SampleBlocks(int Samples, int RowsPerBlock)
{
    public int Count => (Samples + RowsPerBlock - 1) / RowsPerBlock;

    /// <summary>First sample and number of samples of a block.</summary>
    public (int First, int Rows) this[int block] => (block * RowsPerBlock, Math.Min(RowsPerBlock, Samples - block * RowsPerBlock));

    /// <summary>The pool for matrix products within a block: all threads if there is one block only, otherwise its own.</summary>
    public WorkerPool Inner(WorkerPool pool) => Count > 1 ? WorkerPool.Single : pool;

    /// <summary>Runs a job whose parts are the blocks.</summary>
    public void Run<TJob>(ref TJob job, WorkerPool pool) where TJob : struct, IParallelJob
    {
        if (Count == 1)
        {
            job.Execute(0, 0); // outside of the pool, which is then free for the job's matrix products
        }
        else
        {
            pool.Run(ref job, Count);
        }
    }
}

/// <summary>Turns (sample, time, width) into (step, sample, width), or back.</summary>
internal unsafe struct TimeMajorCopy<T> : IParallelJob where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Elements below which one thread does it all.</summary>
    private const int ParallelLength = 65536;

    private T* samplesFirst, timeFirst, mask;
    private Sequence sequence;
    private int width;
    private bool back;

    /// <summary>x (N, T, F) to (T, N, F) in the order of steps; padding becomes 0, so that what lies there (NaN even) cannot reach a weight.</summary>
    public static void Forth(Sequence sequence, T* x, T* mask, T* to, WorkerPool pool)
    {
        TimeMajorCopy<T> job = new() { samplesFirst = x, timeFirst = to, mask = mask, sequence = sequence, width = sequence.Features };
        job.Run(pool);
    }

    /// <summary>dx (T, N, F) in the order of steps to (N, T, F).</summary>
    public static void Back(Sequence sequence, T* from, T* dx, WorkerPool pool)
    {
        TimeMajorCopy<T> job = new() { samplesFirst = dx, timeFirst = from, sequence = sequence, width = sequence.Features, back = true };
        job.Run(pool);
    }

    public readonly void Execute(int part, int worker)
    {
        int time = sequence.Time(part);
        for (int n = 0; n < sequence.Samples; n++)
        {
            Span<T> outer = new(samplesFirst + ((long)n * sequence.Steps + time) * width, width);
            Span<T> inner = new(timeFirst + ((long)part * sequence.Samples + n) * width, width);
            if (back)
            {
                inner.CopyTo(outer);
            }
            else if (mask != null && T.IsZero(mask[n * sequence.Steps + time]))
            {
                inner.Clear();
            }
            else
            {
                outer.CopyTo(inner);
            }
        }
    }

    private void Run(WorkerPool pool)
    {
        if ((long)sequence.Rows * width >= ParallelLength && sequence.Steps > 1)
        {
            pool.Run(ref this, sequence.Steps);
            return;
        }
        for (int step = 0; step < sequence.Steps; step++)
        {
            Execute(step, 0);
        }
    }
}

/// <summary>Hands out stretches of a node's scratch memory.</summary>
internal unsafe struct ScratchCursor<T>(Buffer<T> scratch) where T : unmanaged
{
    private readonly Buffer<T> scratch = scratch;
    private int used;

    public Buffer<T> Take(int elements)
    {
        Buffer<T> taken = scratch.Slice(used, elements);
        used += Sequence.Padded(elements);
        return taken;
    }
}

/// <summary>What every recurrent layer does before its first step and after its last one, in one matrix product each.</summary>
internal static unsafe class RecurrentProjection
{
    /// <summary>gates (T·N, rows) = x·W_ihᵀ + bias over all steps at once.</summary>
    public static void Forward<T>(in KernelContext<T> context, RecurrentLayer layer, RecurrentInputs inputs, Sequence sequence, Buffer<T> timeMajor, Buffer<T> bias, Buffer<T> gates)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T* mask = inputs.Mask < 0 ? null : context.Input(inputs.Mask).Pointer;
        TimeMajorCopy<T>.Forth(sequence, context.Input(0).Pointer, mask, timeMajor.Pointer, context.Pool);
        int rows = layer.Gates * layer.Units;
        Gemm.Multiply(false, true, sequence.Rows, rows, sequence.Features, timeMajor, sequence.Features,
            context.Input(inputs.WeightIh), sequence.Features, gates, rows, accumulate: false, bias, context.Pool);
    }

    /// <summary>Both biases added, where both are added; without any, an empty buffer.</summary>
    /// <param name="context">The layer's context.</param>
    /// <param name="inputs">Where the biases are.</param>
    /// <param name="to">Room for all gates.</param>
    /// <param name="joined">Elements to which bias_hh is added; from there on bias_ih stands alone.</param>
    public static Buffer<T> Bias<T>(in KernelContext<T> context, RecurrentInputs inputs, Buffer<T> to, int joined)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (inputs.BiasIh < 0)
        {
            return default;
        }
        context.Input(inputs.BiasIh).Span.CopyTo(to);
        for (int i = 0; i < joined && inputs.BiasHh >= 0; i++)
        {
            to.Pointer[i] += context.Input(inputs.BiasHh).Pointer[i];
        }
        return to;
    }

    /// <summary>Fills the state before step 0.</summary>
    public static void Start<T>(in KernelContext<T> context, int input, T* state, int elements) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Span<T> start = new(state, elements);
        if (input < 0)
        {
            start.Clear();
        }
        else
        {
            context.Input(input).Span.CopyTo(start);
        }
    }

    /// <summary>
    /// dW_ih = gatesᵀ·x, db_ih = Σ gates and dx = gates·W_ih, with the gradients by the gates' pre-activations as
    /// (T·N, rows). <paramref name="timeMajor"/> is scratch for x and then for dx.
    /// </summary>
    public static void Backward<T>(in KernelContext<T> context, RecurrentGradient op, Sequence sequence, Buffer<T> gates, Buffer<T> timeMajor, Buffer<T> turned)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int rows = op.Layer.Gates * op.Layer.Units;
        int features = sequence.Features;
        T* mask = op.MaskInput < 0 ? null : context.Input(op.MaskInput).Pointer;
        TimeMajorCopy<T>.Forth(sequence, context.Input(op.XInput).Pointer, mask, timeMajor.Pointer, context.Pool);
        WeightGradient(sequence, gates, rows, timeMajor, features, context.Output(op.WeightIhOutput), rows, turned, context.Pool);
        if (op.BiasIhOutput >= 0)
        {
            Reductions.ColumnSums(sequence.Rows, rows, gates, context.Output(op.BiasIhOutput), accumulate: false, context.Pool);
        }
        if (op.InputOutput >= 0)
        {
            Gemm.Multiply(false, false, sequence.Rows, features, rows, gates, rows, context.Input(op.WeightIhInput), features,
                timeMajor, features, accumulate: false, default, context.Pool);
            TimeMajorCopy<T>.Back(sequence, timeMajor.Pointer, context.Output(op.InputOutput).Pointer, context.Pool);
        }
    }

    /// <summary>Part of dW_hh: gatesᵀ·state over all steps, for the given rows of the weight.</summary>
    public static void RecurrentWeight<T>(in KernelContext<T> context, RecurrentGradient op, Sequence sequence, Buffer<T> gates, int gateStride, Buffer<T> states, int firstRow, int rows, Buffer<T> turned)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int units = sequence.Units;
        WeightGradient(sequence, gates, gateStride, states.Slice(0, sequence.Rows * units), units,
            context.Output(op.WeightHhOutput).Slice(firstRow * units, rows * units), rows, turned, context.Pool);
    }

    /// <summary>
    /// gatesᵀ·values (rows, columns) over all steps. Where there are more gates than values, as valuesᵀ·gates, which reads the
    /// larger factor by rows, and turned afterwards: the same sums in the same order.
    /// </summary>
    private static void WeightGradient<T>(Sequence sequence, Buffer<T> gates, int gateStride, Buffer<T> values, int columns, Buffer<T> result, int rows, Buffer<T> turned, WorkerPool pool)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (rows <= columns)
        {
            Gemm.Multiply(true, false, rows, columns, sequence.Rows, gates, gateStride, values, columns, result, columns, accumulate: false, default, pool);
            return;
        }
        Gemm.Multiply(true, false, columns, rows, sequence.Rows, values, columns, gates, gateStride, turned, rows, accumulate: false, default, pool);
        Transposition.Run(columns, rows, turned, rows, result, columns);
    }
}

/// <summary>What reaches the state from outside, while a sequence is walked backwards.</summary>
internal unsafe struct ArrivingGradient<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>dy (N, T, units) or null.</summary>
    public T* Output;

    /// <summary>Mask (N, T) or null.</summary>
    public T* Mask;

    /// <summary>dL/dh of each step, (T, N, units) by time.</summary>
    public T* Total;

    /// <summary>What comes through the steps after this one, (N, units).</summary>
    public T* Recurrent;

    private Sequence sequence;

    public static ArrivingGradient<T> Of(in KernelContext<T> context, RecurrentGradient op, Sequence sequence, Buffer<T> recurrent)
    {
        RecurrentProjection.Start(in context, op.HiddenInput, recurrent.Pointer, sequence.Samples * sequence.Units);
        return new ArrivingGradient<T>
        {
            Output = op.OutputInput < 0 ? null : context.Input(op.OutputInput).Pointer,
            Mask = op.MaskInput < 0 ? null : context.Input(op.MaskInput).Pointer,
            Total = context.Output(RecurrentGradient.StateOutput).Pointer,
            Recurrent = recurrent.Pointer,
            sequence = sequence,
        };
    }

    public readonly bool Padding(int step, int sample) => Mask != null && T.IsZero(Mask[sample * sequence.Steps + sequence.Time(step)]);

    public readonly T* TotalRow(int step, int sample) => Total + ((long)sequence.Time(step) * sequence.Samples + sample) * sequence.Units;

    /// <summary>dL/dh of one sample at one step: what arrives at y and what comes back through time.</summary>
    public readonly void Sum<V>(int step, int sample) where V : struct, ISimd<V, T>
    {
        T* through = Recurrent + (long)sample * sequence.Units;
        T* total = TotalRow(step, sample);
        if (Output == null)
        {
            new Span<T>(through, sequence.Units).CopyTo(new Span<T>(total, sequence.Units));
            return;
        }
        T* above = Output + ((long)sample * sequence.Steps + sequence.Time(step)) * sequence.Units;
        VectorKernel.Add<T, V>(through, above, total, sequence.Units);
    }

    /// <summary>Where a sample had padding, its state's gradient passes as it is; where gradients are cut, none does.</summary>
    public readonly void Pass(int step, int first, int rows)
    {
        if (sequence.CutBefore(step))
        {
            new Span<T>(Recurrent + (long)first * sequence.Units, rows * sequence.Units).Clear();
            return;
        }
        for (int n = first; Mask != null && n < first + rows; n++)
        {
            if (Padding(step, n))
            {
                new Span<T>(TotalRow(step, n), sequence.Units).CopyTo(new Span<T>(Recurrent + (long)n * sequence.Units, sequence.Units));
            }
        }
    }
}
