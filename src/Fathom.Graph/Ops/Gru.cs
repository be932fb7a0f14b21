using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Gated recurrent unit, one layer in one direction, with gates r, z, n in this order: h' = (1 − z)·n + z·h, where
/// r = σ(…), z = σ(…) and n = tanh(W_in·x + b_in + r·(W_hn·h + b_hn)), as in PyTorch and cuDNN; or, if
/// <paramref name="ResetAfter"/> is false, n = tanh(W_in·x + b_in + W_hn·(r·h) + b_hn), as Cho et al. (2014) have it.
/// Inputs x (N, T, in), then a mask, then h to start from; outputs y (N, T, units), h_n.
/// </summary>
/// <param name="Units">Size of the state.</param>
/// <param name="ResetAfter">Whether the reset gate acts after the matrix product rather than before it.</param>
/// <param name="Bias">Whether there are biases.</param>
/// <param name="RecurrentBias">Whether there is a second bias, bias_hh, as in PyTorch, and in Keras with reset_after.</param>
/// <param name="Reverse">Whether the sequence is read from its end; y stays in the order of time.</param>
/// <param name="Masked">Whether a mask (N, T) follows x: 1 for a step that counts, 0 for padding, which leaves the state as it is.</param>
/// <param name="Truncate">0 for back-propagation through all of time; k cuts the gradient of the state before every k-th step.</param>
public sealed record Gru(int Units, bool ResetAfter = true, bool Bias = true, bool RecurrentBias = true, bool Reverse = false, bool Masked = false, int Truncate = 0)
    : RecurrentLayer(Units, Bias, RecurrentBias, Reverse, Masked, Truncate)
{
    public override string Kind => "gru";

    public override int Gates => 3;

    public override int States => 1;

    public override int GateOutput => 3;

    public override ImmutableArray<string> GateNames => ["reset", "update", ""];

    /// <summary>b_hn stands inside r·(…), so its gradient is not that of b_in.</summary>
    internal override bool RecurrentBiasGradient => ResetAfter;

    public override void Run<T>(in KernelContext<T> context) => GruForward<T>.Run(in context, this);

    internal override void RunGradient<T>(in KernelContext<T> context, RecurrentGradient op) => GruBackward<T>.Run(in context, op, ResetAfter);

    /// <summary>The gradient by W_hn·h + b_hn, or by r·h: (T, N, units).</summary>
    internal override int GradientScratch(int samples, int steps) => Sequence.Padded(samples * steps * Units);

    /// <summary>h before each step and after the last; the gates' values; and W_hn·h + b_hn, or r·h, of each step.</summary>
    internal override IEnumerable<TensorType> Caches(Shape x) =>
    [
        new TensorType(Shape.Of(x[1].Size + 1, x[0], Units)),
        new TensorType(Shape.Of(x[1], x[0], Gates * Units)),
        new TensorType(Shape.Of(x[1], x[0], Units)),
    ];
}

/// <summary>The verb of <see cref="Gru"/>.</summary>
public static class GruLayer
{
    /// <param name="network">Where to go on: a sequence (N, T, features).</param>
    /// <param name="units">Size of the state.</param>
    /// <param name="mask">A mask (N, T), or null if every step counts.</param>
    /// <param name="reverse">Whether the sequence is read from its end.</param>
    /// <param name="truncate">0 for back-propagation through all of time, or after how many steps the gradient is cut.</param>
    /// <param name="resetAfter">Whether the reset gate acts after the matrix product rather than before it.</param>
    /// <param name="useBias">False for no biases.</param>
    /// <param name="recurrentBias">False for a single bias.</param>
    /// <param name="initializers">Initializers by parameter: weight_ih, weight_hh, bias_ih, bias_hh.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor Gru(this NetworkCursor network, int units, NetworkCursor? mask = null, bool reverse = false, int truncate = 0, bool resetAfter = true, bool useBias = true, bool recurrentBias = true, IReadOnlyDictionary<string, Initializer>? initializers = null, string? name = null) =>
        network.Then(new Gru(units, resetAfter, useBias, recurrentBias, reverse, mask is not null, truncate), name, initializers, mask is null ? [] : [mask]);
}

/// <summary>All steps of a GRU for one block of samples.</summary>
internal unsafe struct GruForward<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* mask, y, hidden;
    private Buffer<T> gates, states, inner, recurrent, innerBias;
    private bool resetAfter;
    private Sequence sequence;
    private SampleBlocks blocks;
    private WorkerPool pool;
    private int block;

    public static void Run(in KernelContext<T> context, Gru op)
    {
        Sequence sequence = Sequence.Of(op, context.InputShape(0));
        RecurrentInputs inputs = RecurrentInputs.Of(op, context.Inputs.Length);
        SampleBlocks blocks = sequence.Blocks(context.Pool.Threads);
        ScratchCursor<T> scratch = new(context.Scratch);
        int rows = 3 * op.Units;
        Buffer<T> timeMajor = scratch.Take(sequence.Rows * sequence.Features);
        GruForward<T> job = new()
        {
            mask = inputs.Mask < 0 ? null : context.Input(inputs.Mask).Pointer,
            y = context.Output(0).Pointer,
            hidden = context.Output(1).Pointer,
            states = context.Output(2),
            gates = context.Output(3),
            inner = context.Output(4),
            innerBias = op.ResetAfter && inputs.BiasHh >= 0 ? context.Input(inputs.BiasHh).Slice(2 * op.Units, op.Units) : default,
            recurrent = scratch.Take(rows * op.Units),
            resetAfter = op.ResetAfter,
            sequence = sequence,
            blocks = blocks,
            pool = blocks.Inner(context.Pool),
        };
        Buffer<T> bias = RecurrentProjection.Bias(in context, inputs, scratch.Take(rows), op.ResetAfter ? 2 * op.Units : rows);
        RecurrentProjection.Forward(in context, op, inputs, sequence, timeMajor, bias, job.gates);
        Transposition.Run(rows, op.Units, context.Input(inputs.WeightHh), op.Units, job.recurrent, rows);
        RecurrentProjection.Start(in context, inputs.H0, job.states.Pointer, sequence.Samples * op.Units);
        blocks.Run(ref job, context.Pool);
    }

    public readonly void Execute(int part, int worker)
    {
        GruForward<T> mine = this;
        mine.block = part;
        VectorKernel.Run<T, GruForward<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        (int from, int count) = blocks[block];
        int units = sequence.Units;
        Buffer<T> candidateWeight = recurrent.Slice(2 * units, recurrent.Length - 2 * units);
        for (int step = 0; step < sequence.Steps; step++)
        {
            int row = step * sequence.Samples + from;
            Buffer<T> state = states.Slice(row * units, count * units);
            Buffer<T> gate = gates.Slice(row * 3 * units, count * 3 * units);
            Buffer<T> hiddenPart = inner.Slice(row * units, count * units);
            Gemm.Multiply(false, false, count, 2 * units, units, state, units, recurrent, 3 * units, gate, 3 * units, accumulate: true, default, pool);
            if (resetAfter)
            {
                Gemm.Multiply(false, false, count, units, units, state, units, candidateWeight, 3 * units, hiddenPart, units, accumulate: false, innerBias, pool);
            }
            else
            {
                for (int n = from; n < from + count; n++)
                {
                    Reset<V>(step, n);
                }
                Buffer<T> candidate = gate.Slice(2 * units, gate.Length - 2 * units);
                Gemm.Multiply(false, false, count, units, units, hiddenPart, units, candidateWeight, 3 * units, candidate, 3 * units, accumulate: true, default, pool);
            }
            for (int n = from; n < from + count; n++)
            {
                Step<V>(step, n);
            }
        }
        int last = (sequence.Steps * sequence.Samples + from) * units;
        states.Slice(last, count * units).Span.CopyTo(new Span<T>(hidden + (long)from * units, count * units));
    }

    /// <summary>r and r·h, before the candidate's matrix product.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Reset<V>(int step, int sample) where V : struct, ISimd<V, T>
    {
        int units = sequence.Units;
        long before = ((long)step * sequence.Samples + sample) * units;
        T* gate = gates.Pointer + 3 * before;
        for (int j = 0; j < units; j += V.Count)
        {
            int count = units - j;
            V reset = SimdMath.Sigmoid<V, T>(VectorKernel.Read<V, T>(gate + j, count));
            VectorKernel.Write(reset, gate + j, count);
            VectorKernel.Write(reset * VectorKernel.Read<V, T>(states.Pointer + before + j, count), inner.Pointer + before + j, count);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Step<V>(int step, int sample) where V : struct, ISimd<V, T>
    {
        int units = sequence.Units;
        long before = ((long)step * sequence.Samples + sample) * units;
        long time = (long)sample * sequence.Steps + sequence.Time(step);
        T* old = states.Pointer + before;
        T* h = old + (long)sequence.Samples * units;
        T* shown = y + time * units;
        if (mask != null && T.IsZero(mask[time]))
        {
            new Span<T>(old, units).CopyTo(new Span<T>(h, units));
            new Span<T>(old, units).CopyTo(new Span<T>(shown, units));
            return;
        }
        T* gate = gates.Pointer + 3 * before;
        for (int j = 0; j < units; j += V.Count)
        {
            int count = units - j;
            V reset = VectorKernel.Read<V, T>(gate + j, count);
            V sum = VectorKernel.Read<V, T>(gate + 2 * units + j, count);
            if (resetAfter)
            {
                reset = SimdMath.Sigmoid<V, T>(reset);
                VectorKernel.Write(reset, gate + j, count);
                sum = V.Fma(reset, VectorKernel.Read<V, T>(inner.Pointer + before + j, count), sum);
            }
            V update = SimdMath.Sigmoid<V, T>(VectorKernel.Read<V, T>(gate + units + j, count));
            V candidate = SimdMath.Tanh<V, T>(sum);
            V state = V.Fma(update, VectorKernel.Read<V, T>(old + j, count) - candidate, candidate);
            VectorKernel.Write(update, gate + units + j, count);
            VectorKernel.Write(candidate, gate + 2 * units + j, count);
            VectorKernel.Write(state, h + j, count);
            VectorKernel.Write(state, shown + j, count);
        }
    }
}
