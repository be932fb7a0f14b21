using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>All steps of an LSTM backwards, for one block of samples.</summary>
internal unsafe struct LstmBackward<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private ArrivingGradient<T> arriving;
    private T* cells, values, memory;
    private Buffer<T> gates, recurrent;
    private RecurrentPanels<T> weight;
    private Sequence sequence;
    private SampleBlocks blocks;
    private WorkerPool pool;
    private int block;

    public static void Run(in KernelContext<T> context, RecurrentGradient op)
    {
        Sequence sequence = Sequence.Of(op.Layer, context.InputShape(op.XInput));
        SampleBlocks blocks = sequence.Blocks(context.Pool.Threads);
        ScratchCursor<T> scratch = new(context.Scratch);
        int units = sequence.Units;
        int state = sequence.Samples * units;
        Buffer<T> timeMajor = scratch.Take(sequence.Rows * sequence.Features);
        Buffer<T> turned = scratch.Take(op.TurnedElements(sequence.Features));
        Buffer<T> gates = scratch.Take(sequence.Rows * 4 * units);
        Buffer<T> recurrent = scratch.Take(state);
        Buffer<T> memory = scratch.Take(state);
        LstmBackward<T> job = new()
        {
            arriving = ArrivingGradient<T>.Of(in context, op, sequence, recurrent),
            cells = context.Input(op.CacheInput + 1).Pointer,
            values = context.Input(op.CacheInput + 2).Pointer,
            memory = memory.Pointer,
            gates = gates,
            weight = RecurrentPanels<T>.Of(context.Input(op.WeightHhInput), scratch.Take(4 * units * units), 4 * units, units),
            recurrent = recurrent,
            sequence = sequence,
            blocks = blocks,
            pool = blocks.Inner(context.Pool),
        };
        RecurrentProjection.Start(in context, op.CellInput, memory.Pointer, state);
        blocks.Run(ref job, context.Pool);
        RecurrentProjection.RecurrentWeight(in context, op, sequence, gates, 4 * units, context.Input(op.CacheInput), 0, 4 * units, turned);
        RecurrentProjection.Backward(in context, op, sequence, gates, timeMajor, turned);
        if (op.H0Output >= 0)
        {
            recurrent.Span.CopyTo(context.Output(op.H0Output));
        }
        if (op.C0Output >= 0)
        {
            memory.Span.CopyTo(context.Output(op.C0Output));
        }
    }

    public readonly void Execute(int part, int worker)
    {
        LstmBackward<T> mine = this;
        mine.block = part;
        VectorKernel.Run<T, LstmBackward<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        (int from, int count) = blocks[block];
        int units = sequence.Units;
        for (int step = sequence.Steps - 1; step >= 0; step--)
        {
            for (int n = from; n < from + count; n++)
            {
                Step<V>(step, n);
            }
            int row = step * sequence.Samples + from;
            weight.Multiply(count, gates.Slice(row * 4 * units, count * 4 * units), recurrent.Slice(from * units, count * units), accumulate: false, pool);
            arriving.Pass(step, from, count);
            if (sequence.CutBefore(step))
            {
                new Span<T>(memory + (long)from * units, count * units).Clear();
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Step<V>(int step, int sample) where V : struct, ISimd<V, T>
    {
        int units = sequence.Units;
        arriving.Sum<V>(step, sample);
        long before = ((long)step * sequence.Samples + sample) * units;
        T* gradient = gates.Pointer + 4 * before;
        if (arriving.Padding(step, sample))
        {
            new Span<T>(gradient, 4 * units).Clear();
            return;
        }
        CellRow row = new()
        {
            Total = arriving.TotalRow(step, sample),
            Old = cells + before,
            Next = cells + before + (nint)sequence.Samples * units,
            Value = values + 4 * before,
            Through = memory + (nint)sample * units,
            Gradient = gradient,
            Units = units,
        };
        int whole = units - units % V.Count;
        Whole<V>(row, whole);
        if (whole < units)
        {
            Rest<V>(row, whole);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Whole<V>(CellRow row, int end) where V : struct, ISimd<V, T>
    {
        for (int j = 0; j < end; j += V.Count)
        {
            Cell<V>(row, j, V.Count);
        }
    }

    // Apart from the loop, which would otherwise be more than the JIT inlines.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Rest<V>(CellRow row, int j) where V : struct, ISimd<V, T> => Cell<V>(row, j, row.Units - j);

    /// <summary>The gradients of one vector of units through c' = f·c + i·g and h' = o·tanh c'.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Cell<V>(CellRow row, int j, int count) where V : struct, ISimd<V, T>
    {
        V one = V.Constant(1);
        int units = row.Units;
        V dh = VectorKernel.Read<V, T>(row.Total + j, count);
        V output = VectorKernel.Read<V, T>(row.Value + 3 * units + j, count);
        V tanh = SimdMath.Tanh<V, T>(VectorKernel.Read<V, T>(row.Next + j, count));
        VectorKernel.Write(dh * tanh * (output * (one - output)), row.Gradient + 3 * units + j, count);
        V dc = VectorKernel.Read<V, T>(row.Through + j, count) + dh * output * ((one - tanh) * (one + tanh));
        V forget = VectorKernel.Read<V, T>(row.Value + units + j, count);
        VectorKernel.Write(dc * VectorKernel.Read<V, T>(row.Old + j, count) * (forget * (one - forget)), row.Gradient + units + j, count);
        VectorKernel.Write(dc * forget, row.Through + j, count);
        V input = VectorKernel.Read<V, T>(row.Value + j, count);
        V candidate = VectorKernel.Read<V, T>(row.Value + 2 * units + j, count);
        VectorKernel.Write(dc * candidate * (input * (one - input)), row.Gradient + j, count);
        VectorKernel.Write(dc * input * ((one - candidate) * (one + candidate)), row.Gradient + 2 * units + j, count);
    }

    /// <summary>Where the numbers of one sample at one step lie.</summary>
    private struct CellRow
    {
        /// <summary>dL/dh'.</summary>
        public T* Total;

        /// <summary>c and c'.</summary>
        public T* Old, Next;

        /// <summary>The gates i, f, g, o, and their gradients.</summary>
        public T* Value, Gradient;

        /// <summary>dL/dc' on the way in, dL/dc on the way out.</summary>
        public T* Through;

        public int Units;
    }
}
