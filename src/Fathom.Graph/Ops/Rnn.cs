using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>The function of a plain recurrent layer.</summary>
public enum RecurrentActivation
{
    Tanh,
    Relu,
}

/// <summary>
/// Plain recurrent layer in one direction: h' = φ(W_ih·x + b_ih + W_hh·h + b_hh) (Elman 1990). The gradient of the state is
/// multiplied by W_hhᵀ·φ' at every step, so over many steps it vanishes or explodes (Bengio et al. 1994; Pascanu et al. 2013).
/// Inputs x (N, T, in), then a mask, then h to start from; outputs y (N, T, units), h_n. With ReLU and weight_hh starting as
/// the identity it is the IRNN of Le et al. (2015).
/// </summary>
/// <param name="Units">Size of the state.</param>
/// <param name="Activation">φ.</param>
/// <param name="Bias">Whether there are biases.</param>
/// <param name="RecurrentBias">Whether there is a second bias, bias_hh, as in PyTorch; Keras has one bias.</param>
/// <param name="Reverse">Whether the sequence is read from its end; y stays in the order of time.</param>
/// <param name="Masked">Whether a mask (N, T) follows x: 1 for a step that counts, 0 for padding, which leaves the state as it is.</param>
/// <param name="Truncate">0 for back-propagation through all of time; k cuts the gradient of the state before every k-th step.</param>
public sealed record Rnn(int Units, RecurrentActivation Activation = RecurrentActivation.Tanh, bool Bias = true, bool RecurrentBias = true, bool Reverse = false, bool Masked = false, int Truncate = 0)
    : RecurrentLayer(Units, Bias, RecurrentBias, Reverse, Masked, Truncate)
{
    public override string Kind => "rnn";

    public override SaturationRegion? Saturation => Activation == RecurrentActivation.Tanh ? new Tanh().Saturation : null;

    public override int Gates => 1;

    public override int States => 1;

    public override void Run<T>(in KernelContext<T> context) => RnnForward<T>.Run(in context, this);

    internal override void RunGradient<T>(in KernelContext<T> context, RecurrentGradient op) => RnnBackward<T>.Run(in context, op, Activation);

    internal override int GradientScratch(int samples, int steps) => 0;

    /// <summary>h before each step and after the last.</summary>
    internal override IEnumerable<TensorType> Caches(Shape x) => [new TensorType(Shape.Of(x[1].Size + 1, x[0], Units))];
}

/// <summary>The verb of <see cref="Rnn"/>.</summary>
public static class RnnLayer
{
    /// <param name="network">Where to go on: a sequence (N, T, features).</param>
    /// <param name="units">Size of the state.</param>
    /// <param name="activation">The function.</param>
    /// <param name="mask">A mask (N, T), or null if every step counts.</param>
    /// <param name="reverse">Whether the sequence is read from its end.</param>
    /// <param name="truncate">0 for back-propagation through all of time, or after how many steps the gradient is cut.</param>
    /// <param name="useBias">False for no biases.</param>
    /// <param name="recurrentBias">False for a single bias, as in Keras.</param>
    /// <param name="initializers">Initializers by parameter: weight_ih, weight_hh, bias_ih, bias_hh.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor Rnn(this NetworkCursor network, int units, RecurrentActivation activation = RecurrentActivation.Tanh, NetworkCursor? mask = null, bool reverse = false, int truncate = 0, bool useBias = true, bool recurrentBias = true, IReadOnlyDictionary<string, Initializer>? initializers = null, string? name = null) =>
        network.Then(new Rnn(units, activation, useBias, recurrentBias, reverse, mask is not null, truncate), name, initializers, mask is null ? [] : [mask]);
}

/// <summary>All steps of a plain recurrent layer for one block of samples. The pre-activations stand where the states will.</summary>
internal unsafe struct RnnForward<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* mask, y, hidden;
    private Buffer<T> states, recurrent;
    private bool relu;
    private Sequence sequence;
    private SampleBlocks blocks;
    private WorkerPool pool;
    private int block;

    public static void Run(in KernelContext<T> context, Rnn op)
    {
        Sequence sequence = Sequence.Of(op, context.InputShape(0));
        RecurrentInputs inputs = RecurrentInputs.Of(op, context.Inputs.Length);
        SampleBlocks blocks = sequence.Blocks(context.Pool.Threads);
        ScratchCursor<T> scratch = new(context.Scratch);
        int state = sequence.Samples * op.Units;
        Buffer<T> timeMajor = scratch.Take(sequence.Rows * sequence.Features);
        RnnForward<T> job = new()
        {
            mask = inputs.Mask < 0 ? null : context.Input(inputs.Mask).Pointer,
            y = context.Output(0).Pointer,
            hidden = context.Output(1).Pointer,
            states = context.Output(2),
            recurrent = scratch.Take(op.Units * op.Units),
            relu = op.Activation == RecurrentActivation.Relu,
            sequence = sequence,
            blocks = blocks,
            pool = blocks.Inner(context.Pool),
        };
        Buffer<T> bias = RecurrentProjection.Bias(in context, inputs, scratch.Take(op.Units), op.Units);
        RecurrentProjection.Forward(in context, op, inputs, sequence, timeMajor, bias, job.states.Slice(state, sequence.Rows * op.Units));
        Transposition.Run(op.Units, op.Units, context.Input(inputs.WeightHh), op.Units, job.recurrent, op.Units);
        RecurrentProjection.Start(in context, inputs.H0, job.states.Pointer, state);
        blocks.Run(ref job, context.Pool);
    }

    public readonly void Execute(int part, int worker)
    {
        RnnForward<T> mine = this;
        mine.block = part;
        VectorKernel.Run<T, RnnForward<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        (int from, int count) = blocks[block];
        int units = sequence.Units;
        for (int step = 0; step < sequence.Steps; step++)
        {
            int row = step * sequence.Samples + from;
            Gemm.Multiply(false, false, count, units, units, states.Slice(row * units, count * units), units, recurrent, units,
                states.Slice((row + sequence.Samples) * units, count * units), units, accumulate: true, default, pool);
            for (int n = from; n < from + count; n++)
            {
                Step<V>(step, n);
            }
        }
        int last = (sequence.Steps * sequence.Samples + from) * units;
        states.Slice(last, count * units).Span.CopyTo(new Span<T>(hidden + (long)from * units, count * units));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Step<V>(int step, int sample) where V : struct, ISimd<V, T>
    {
        int units = sequence.Units;
        long before = ((long)step * sequence.Samples + sample) * units;
        long time = (long)sample * sequence.Steps + sequence.Time(step);
        T* h = states.Pointer + before + (long)sequence.Samples * units;
        T* shown = y + time * units;
        if (mask != null && T.IsZero(mask[time]))
        {
            new Span<T>(states.Pointer + before, units).CopyTo(new Span<T>(h, units));
            new Span<T>(h, units).CopyTo(new Span<T>(shown, units));
            return;
        }
        for (int j = 0; j < units; j += V.Count)
        {
            int count = units - j;
            V sum = VectorKernel.Read<V, T>(h + j, count);
            V state = relu ? V.Max(sum, V.Zero) : SimdMath.Tanh<V, T>(sum);
            VectorKernel.Write(state, h + j, count);
            VectorKernel.Write(state, shown + j, count);
        }
    }
}

/// <summary>All steps of a plain recurrent layer backwards, for one block of samples.</summary>
internal unsafe struct RnnBackward<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private ArrivingGradient<T> arriving;
    private T* states;
    private Buffer<T> gates, weight, recurrent;
    private bool relu;
    private Sequence sequence;
    private SampleBlocks blocks;
    private WorkerPool pool;
    private int block;

    public static void Run(in KernelContext<T> context, RecurrentGradient op, RecurrentActivation activation)
    {
        Sequence sequence = Sequence.Of(op.Layer, context.InputShape(op.XInput));
        SampleBlocks blocks = sequence.Blocks(context.Pool.Threads);
        ScratchCursor<T> scratch = new(context.Scratch);
        int units = sequence.Units;
        Buffer<T> timeMajor = scratch.Take(sequence.Rows * sequence.Features);
        Buffer<T> turned = scratch.Take(op.TurnedElements(sequence.Features));
        Buffer<T> gates = scratch.Take(sequence.Rows * units);
        Buffer<T> recurrent = scratch.Take(sequence.Samples * units);
        RnnBackward<T> job = new()
        {
            arriving = ArrivingGradient<T>.Of(in context, op, sequence, recurrent),
            states = context.Input(op.CacheInput).Pointer,
            gates = gates,
            weight = context.Input(op.WeightHhInput),
            recurrent = recurrent,
            relu = activation == RecurrentActivation.Relu,
            sequence = sequence,
            blocks = blocks,
            pool = blocks.Inner(context.Pool),
        };
        blocks.Run(ref job, context.Pool);
        RecurrentProjection.RecurrentWeight(in context, op, sequence, gates, units, context.Input(op.CacheInput), 0, units, turned);
        RecurrentProjection.Backward(in context, op, sequence, gates, timeMajor, turned);
        if (op.H0Output >= 0)
        {
            recurrent.Span.CopyTo(context.Output(op.H0Output));
        }
    }

    public readonly void Execute(int part, int worker)
    {
        RnnBackward<T> mine = this;
        mine.block = part;
        VectorKernel.Run<T, RnnBackward<T>>(ref mine);
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
            Gemm.Multiply(false, false, count, units, units, gates.Slice(row * units, count * units), units, weight, units,
                recurrent.Slice(from * units, count * units), units, accumulate: false, default, pool);
            arriving.Pass(step, from, count);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Step<V>(int step, int sample) where V : struct, ISimd<V, T>
    {
        int units = sequence.Units;
        arriving.Sum<V>(step, sample);
        long before = ((long)step * sequence.Samples + sample) * units;
        T* gradient = gates.Pointer + before;
        if (arriving.Padding(step, sample))
        {
            new Span<T>(gradient, units).Clear();
            return;
        }
        T* total = arriving.TotalRow(step, sample);
        T* state = states + before + (long)sequence.Samples * units;
        V one = V.Constant(1);
        for (int j = 0; j < units; j += V.Count)
        {
            int count = units - j;
            V dh = VectorKernel.Read<V, T>(total + j, count);
            V h = VectorKernel.Read<V, T>(state + j, count);
            VectorKernel.Write(relu ? V.Select(V.LessThanOrEqual(h, V.Zero), V.Zero, dh) : dh * ((one - h) * (one + h)), gradient + j, count);
        }
    }
}
