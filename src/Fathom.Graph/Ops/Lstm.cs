using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Long short-term memory, one layer in one direction: with gates i, f, g, o in this order,
/// c' = σ(f)·c + σ(i)·tanh(g) and h' = σ(o)·tanh(c'). Hochreiter and Schmidhuber (1997); forget gate: Gers et al. (2000).
/// Its cell passes a gradient on multiplied by σ(f) only, so bias_ih starts with 1 at the forget gate, as in Keras
/// (Jozefowicz et al. 2015). Inputs x (N, T, in), then a mask, then h and c to start from; outputs y (N, T, units), h_n, c_n.
/// </summary>
/// <param name="Units">Size of the state.</param>
/// <param name="Bias">Whether there are biases.</param>
/// <param name="RecurrentBias">Whether there is a second bias, bias_hh, as in PyTorch; Keras has one bias.</param>
/// <param name="Reverse">Whether the sequence is read from its end; y stays in the order of time.</param>
/// <param name="Masked">Whether a mask (N, T) follows x: 1 for a step that counts, 0 for padding, which leaves the state as it is.</param>
/// <param name="Truncate">0 for back-propagation through all of time; k cuts the gradient of the state before every k-th step.</param>
public sealed record Lstm(int Units, bool Bias = true, bool RecurrentBias = true, bool Reverse = false, bool Masked = false, int Truncate = 0)
    : RecurrentLayer(Units, Bias, RecurrentBias, Reverse, Masked, Truncate)
{
    public override string Kind => "lstm";

    public override int Gates => 4;

    public override int States => 2;

    public override int GateOutput => 5;

    public override ImmutableArray<string> GateNames => ["input", "forget", "", "output"];

    internal override Initializer DefaultBias => new ForgetGateBias();

    public override void Run<T>(in KernelContext<T> context) => LstmForward<T>.Run(in context, this);

    internal override void RunGradient<T>(in KernelContext<T> context, RecurrentGradient op) => LstmBackward<T>.Run(in context, op);

    internal override int GradientScratch(int samples, int steps) => Sequence.Padded(checked(Gates * Units * Units));

    /// <summary>h and c before each step and after the last, and the gates' values.</summary>
    internal override IEnumerable<TensorType> Caches(Shape x)
    {
        TensorType states = new(Shape.Of(x[1].Size + 1, x[0], Units));
        return [states, states, new TensorType(Shape.Of(x[1], x[0], Gates * Units))];
    }
}

/// <summary>The verb of <see cref="Lstm"/>.</summary>
public static class LstmLayer
{
    /// <param name="network">Where to go on: a sequence (N, T, features).</param>
    /// <param name="units">Size of the state.</param>
    /// <param name="mask">A mask (N, T), or null if every step counts.</param>
    /// <param name="reverse">Whether the sequence is read from its end.</param>
    /// <param name="truncate">0 for back-propagation through all of time, or after how many steps the gradient is cut.</param>
    /// <param name="useBias">False for no biases.</param>
    /// <param name="recurrentBias">False for a single bias, as in Keras.</param>
    /// <param name="initializers">Initializers by parameter: weight_ih, weight_hh, bias_ih, bias_hh.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor Lstm(this NetworkCursor network, int units, NetworkCursor? mask = null, bool reverse = false, int truncate = 0, bool useBias = true, bool recurrentBias = true, IReadOnlyDictionary<string, Initializer>? initializers = null, string? name = null) =>
        network.Then(new Lstm(units, useBias, recurrentBias, reverse, mask is not null, truncate), name, initializers, mask is null ? [] : [mask]);
}

/// <summary>All steps of an LSTM for one block of samples.</summary>
internal unsafe struct LstmForward<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* mask, y, hidden, cell;
    private Buffer<T> gates, states, cells;
    private RecurrentPanels<T> recurrent;
    private Sequence sequence;
    private SampleBlocks blocks;
    private WorkerPool pool;
    private int block;

    public static void Run(in KernelContext<T> context, Lstm op)
    {
        Sequence sequence = Sequence.Of(op, context.InputShape(0));
        RecurrentInputs inputs = RecurrentInputs.Of(op, context.Inputs.Length);
        SampleBlocks blocks = sequence.Blocks(context.Pool.Threads);
        ScratchCursor<T> scratch = new(context.Scratch);
        int rows = 4 * op.Units;
        Buffer<T> timeMajor = scratch.Take(sequence.Rows * sequence.Features);
        LstmForward<T> job = new()
        {
            mask = inputs.Mask < 0 ? null : context.Input(inputs.Mask).Pointer,
            y = context.Output(0).Pointer,
            hidden = context.Output(1).Pointer,
            cell = context.Output(2).Pointer,
            states = context.Output(3),
            cells = context.Output(4),
            gates = context.Output(5),
            recurrent = RecurrentPanels<T>.OfTransposed(context.Input(inputs.WeightHh), scratch.Take(rows * op.Units), op.Units, rows),
            sequence = sequence,
            blocks = blocks,
            pool = blocks.Inner(context.Pool),
        };
        Buffer<T> bias = RecurrentProjection.Bias(in context, inputs, scratch.Take(rows), rows);
        RecurrentProjection.Forward(in context, op, inputs, sequence, timeMajor, bias, job.gates);
        RecurrentProjection.Start(in context, inputs.H0, job.states.Pointer, sequence.Samples * op.Units);
        RecurrentProjection.Start(in context, inputs.C0, job.cells.Pointer, sequence.Samples * op.Units);
        blocks.Run(ref job, context.Pool);
    }

    public readonly void Execute(int part, int worker)
    {
        LstmForward<T> mine = this;
        mine.block = part;
        VectorKernel.Run<T, LstmForward<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        (int from, int count) = blocks[block];
        int units = sequence.Units;
        for (int step = 0; step < sequence.Steps; step++)
        {
            int row = step * sequence.Samples + from;
            recurrent.Multiply(count, states.Slice(row * units, count * units), gates.Slice(row * 4 * units, count * 4 * units), accumulate: true, pool);
            for (int n = from; n < from + count; n++)
            {
                Step<V>(step, n);
            }
        }
        int last = (sequence.Steps * sequence.Samples + from) * units;
        states.Slice(last, count * units).Span.CopyTo(new Span<T>(hidden + (long)from * units, count * units));
        cells.Slice(last, count * units).Span.CopyTo(new Span<T>(cell + (long)from * units, count * units));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Step<V>(int step, int sample) where V : struct, ISimd<V, T>
    {
        int units = sequence.Units;
        long before = ((long)step * sequence.Samples + sample) * units;
        long after = before + (long)sequence.Samples * units;
        long time = (long)sample * sequence.Steps + sequence.Time(step);
        T* h = states.Pointer + after;
        T* c = cells.Pointer + after;
        T* shown = y + time * units;
        if (mask != null && T.IsZero(mask[time]))
        {
            new Span<T>(states.Pointer + before, units).CopyTo(new Span<T>(h, units));
            new Span<T>(cells.Pointer + before, units).CopyTo(new Span<T>(c, units));
            new Span<T>(h, units).CopyTo(new Span<T>(shown, units));
            return;
        }
        // Function by function over the row, which stays in the first-level cache: all of them in one loop would be more
        // than the JIT inlines, and each operation a call.
        T* gate = gates.Pointer + 4 * before;
        VectorKernel.Map<T, V, Logistic>(default, gate, gate, 2 * units);
        VectorKernel.Map<T, V, HyperbolicTangent>(default, gate + 2 * units, gate + 2 * units, units);
        VectorKernel.Map<T, V, Logistic>(default, gate + 3 * units, gate + 3 * units, units);
        Remember<V>(gate, cells.Pointer + before, c);
        VectorKernel.Map<T, V, HyperbolicTangent>(default, c, h, units);
        Show<V>(gate + 3 * units, h, shown);
    }

    /// <summary>c' = f·c + i·g.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Remember<V>(T* gate, T* old, T* c) where V : struct, ISimd<V, T>
    {
        int units = sequence.Units;
        for (int j = 0; j < units; j += V.Count)
        {
            int count = units - j;
            V added = VectorKernel.Read<V, T>(gate + j, count) * VectorKernel.Read<V, T>(gate + 2 * units + j, count);
            VectorKernel.Write(V.Fma(VectorKernel.Read<V, T>(gate + units + j, count), VectorKernel.Read<V, T>(old + j, count), added), c + j, count);
        }
    }

    /// <summary>h' = o·tanh c', where h holds tanh c'.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Show<V>(T* output, T* h, T* shown) where V : struct, ISimd<V, T>
    {
        for (int j = 0; j < sequence.Units; j += V.Count)
        {
            int count = sequence.Units - j;
            V state = VectorKernel.Read<V, T>(output + j, count) * VectorKernel.Read<V, T>(h + j, count);
            VectorKernel.Write(state, h + j, count);
            VectorKernel.Write(state, shown + j, count);
        }
    }

    private readonly struct Logistic : IUnaryOperator<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.Sigmoid<V, T>(x);
    }

    private readonly struct HyperbolicTangent : IUnaryOperator<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.Tanh<V, T>(x);
    }
}
