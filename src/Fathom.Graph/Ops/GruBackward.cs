using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>All steps of a GRU backwards, for one block of samples.</summary>
internal unsafe struct GruBackward<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private ArrivingGradient<T> arriving;
    private T* states, values, kept;
    private Buffer<T> gates, inner, weight, recurrent;
    private bool resetAfter;
    private Sequence sequence;
    private SampleBlocks blocks;
    private WorkerPool pool;
    private int block;

    public static void Run(in KernelContext<T> context, RecurrentGradient op, bool resetAfter)
    {
        Sequence sequence = Sequence.Of(op.Layer, context.InputShape(op.XInput));
        SampleBlocks blocks = sequence.Blocks(context.Pool.Threads);
        ScratchCursor<T> scratch = new(context.Scratch);
        int units = sequence.Units;
        Buffer<T> timeMajor = scratch.Take(sequence.Rows * sequence.Features);
        Buffer<T> turned = scratch.Take(op.TurnedElements(sequence.Features));
        Buffer<T> gates = scratch.Take(sequence.Rows * 3 * units);
        Buffer<T> recurrent = scratch.Take(sequence.Samples * units);
        GruBackward<T> job = new()
        {
            arriving = ArrivingGradient<T>.Of(in context, op, sequence, recurrent),
            states = context.Input(op.CacheInput).Pointer,
            values = context.Input(op.CacheInput + 1).Pointer,
            kept = context.Input(op.CacheInput + 2).Pointer,
            gates = gates,
            inner = scratch.Take(sequence.Rows * units),
            weight = context.Input(op.WeightHhInput),
            recurrent = recurrent,
            resetAfter = resetAfter,
            sequence = sequence,
            blocks = blocks,
            pool = blocks.Inner(context.Pool),
        };
        blocks.Run(ref job, context.Pool);
        job.Weights(in context, op, turned);
        RecurrentProjection.Backward(in context, op, sequence, gates, timeMajor, turned);
        if (op.BiasHhOutput >= 0)
        {
            Buffer<T> bias = context.Output(op.BiasHhOutput);
            context.Output(op.BiasIhOutput).Span[..(2 * units)].CopyTo(bias);
            Reductions.ColumnSums(sequence.Rows, units, job.inner, bias.Slice(2 * units, units), accumulate: false, context.Pool);
        }
        if (op.H0Output >= 0)
        {
            recurrent.Span.CopyTo(context.Output(op.H0Output));
        }
    }

    public readonly void Execute(int part, int worker)
    {
        GruBackward<T> mine = this;
        mine.block = part;
        VectorKernel.Run<T, GruBackward<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        (int from, int count) = blocks[block];
        int units = sequence.Units;
        Buffer<T> candidateWeight = weight.Slice(2 * units * units, units * units);
        Buffer<T> back = recurrent.Slice(from * units, count * units);
        for (int step = sequence.Steps - 1; step >= 0; step--)
        {
            int row = step * sequence.Samples + from;
            Buffer<T> gate = gates.Slice(row * 3 * units, count * 3 * units);
            Buffer<T> hiddenPart = inner.Slice(row * units, count * units);
            for (int n = from; n < from + count; n++)
            {
                Step<V>(step, n);
            }
            if (!resetAfter)
            {
                Buffer<T> candidate = gate.Slice(2 * units, gate.Length - 2 * units);
                Gemm.Multiply(false, false, count, units, units, candidate, 3 * units, candidateWeight, units, hiddenPart, units, accumulate: false, default, pool);
                for (int n = from; n < from + count; n++)
                {
                    Reset<V>(step, n);
                }
            }
            else
            {
                Gemm.Multiply(false, false, count, units, units, hiddenPart, units, candidateWeight, units, back, units, accumulate: true, default, pool);
            }
            Gemm.Multiply(false, false, count, units, 2 * units, gate, 3 * units, weight, units, back, units, accumulate: true, default, pool);
            arriving.Pass(step, from, count);
        }
    }

    /// <summary>
    /// With the matrix product before the reset gate, the candidate's rows of W_hh see h through what arrives at
    /// W_hn·h + b_hn; otherwise they see r·h.
    /// </summary>
    private readonly void Weights(in KernelContext<T> context, RecurrentGradient op, Buffer<T> turned)
    {
        int units = sequence.Units;
        Buffer<T> before = context.Input(op.CacheInput);
        RecurrentProjection.RecurrentWeight(in context, op, sequence, gates, 3 * units, before, 0, 2 * units, turned);
        if (resetAfter)
        {
            RecurrentProjection.RecurrentWeight(in context, op, sequence, inner, units, before, 2 * units, units, turned);
        }
        else
        {
            Buffer<T> candidate = gates.Slice(2 * units, gates.Length - 2 * units);
            RecurrentProjection.RecurrentWeight(in context, op, sequence, candidate, 3 * units, context.Input(op.CacheInput + 2), 2 * units, units, turned);
        }
    }

    /// <summary>Leaves in the recurrent buffer what passes to h directly; the matrix products add the rest.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Step<V>(int step, int sample) where V : struct, ISimd<V, T>
    {
        int units = sequence.Units;
        arriving.Sum<V>(step, sample);
        long before = ((long)step * sequence.Samples + sample) * units;
        T* gradient = gates.Pointer + 3 * before;
        T* hiddenGradient = inner.Pointer + before;
        T* back = recurrent.Pointer + (long)sample * units;
        if (arriving.Padding(step, sample))
        {
            new Span<T>(gradient, 3 * units).Clear();
            new Span<T>(hiddenGradient, units).Clear();
            return;
        }
        T* total = arriving.TotalRow(step, sample);
        T* value = values + 3 * before;
        V one = V.Constant(1);
        for (int j = 0; j < units; j += V.Count)
        {
            int count = units - j;
            V dh = VectorKernel.Read<V, T>(total + j, count);
            V reset = VectorKernel.Read<V, T>(value + j, count);
            V update = VectorKernel.Read<V, T>(value + units + j, count);
            V candidate = VectorKernel.Read<V, T>(value + 2 * units + j, count);
            V old = VectorKernel.Read<V, T>(states + before + j, count);
            V sum = dh * (one - update) * ((one - candidate) * (one + candidate));
            VectorKernel.Write(dh * (old - candidate) * (update * (one - update)), gradient + units + j, count);
            VectorKernel.Write(sum, gradient + 2 * units + j, count);
            VectorKernel.Write(dh * update, back + j, count);
            if (resetAfter)
            {
                VectorKernel.Write(sum * VectorKernel.Read<V, T>(kept + before + j, count) * (reset * (one - reset)), gradient + j, count);
                VectorKernel.Write(sum * reset, hiddenGradient + j, count);
            }
        }
    }

    /// <summary>Through r·h, whose gradient the candidate's matrix product has left.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Reset<V>(int step, int sample) where V : struct, ISimd<V, T>
    {
        int units = sequence.Units;
        long before = ((long)step * sequence.Samples + sample) * units;
        T* gradient = gates.Pointer + 3 * before;
        T* value = values + 3 * before;
        T* back = recurrent.Pointer + (long)sample * units;
        bool padding = arriving.Padding(step, sample);
        for (int j = 0; j < units && !padding; j += V.Count)
        {
            int count = units - j;
            V product = VectorKernel.Read<V, T>(inner.Pointer + before + j, count);
            V reset = VectorKernel.Read<V, T>(value + j, count);
            V old = VectorKernel.Read<V, T>(states + before + j, count);
            VectorKernel.Write(product * old * (reset * (V.Constant(1) - reset)), gradient + j, count);
            VectorKernel.Write(V.Fma(product, reset, VectorKernel.Read<V, T>(back + j, count)), back + j, count);
        }
    }
}
