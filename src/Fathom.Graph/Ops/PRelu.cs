using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Leaky ReLU with a learnt slope: x where x &gt; 0, otherwise weight·x, also at 0. He et al. (2015). Inputs: x, and
/// weight (1), or (channels) with one slope per index of axis 1, or of the last. Output: y of x's shape.
/// </summary>
/// <param name="PerChannel">One slope per channel in place of one for all.</param>
/// <param name="InitialSlope">Slope before step 1.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
public sealed record PRelu(bool PerChannel = false, double InitialSlope = 0.25, bool ChannelsLast = false) : Op
{
    public override string Kind => "prelu";

    /// <summary>What the op is before step 1, for a theory of networks at initialization.</summary>
    public LeakyRelu AtInitialization => new(InitialSlope);

    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs)
    {
        Shape x = dataInputs[0].Shape;
        if (PerChannel && (x.Rank < 2 || x[ChannelAxis.Of(ChannelsLast)].PerSample))
        {
            return [];
        }
        return [new ParameterSlot("weight", Shape.Of(PerChannel ? x[ChannelAxis.Of(ChannelsLast)] : 1), new ConstantInitializer(InitialSlope))];
    }

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (scope.Inputs.Length > 0)
        {
            scope.RequireKind(0, ElementKind.Real);
            if (PerChannel)
            {
                ChannelAxis.Require(scope, ChannelsLast);
            }
        }
        scope.RequireCount(2);
        scope.RequireShape(1, Shape.Of(PerChannel ? scope.Shape(0)[ChannelAxis.Of(ChannelsLast)] : 1));
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        PReluJob<T>.Run(context.Input(0), context.Input(0), context.Input(1), context.Output(0), Split(context.InputShape(0), PerChannel, ChannelsLast), context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new PReluInputGradient(PerChannel, ChannelsLast), "input", scope.Upstream, scope.Input(0), scope.Input(1)));
        }
        if (scope.Needs(1))
        {
            scope.Contribute(1, scope.Emit(new PReluWeightGradient(PerChannel, ChannelsLast), "weight", scope.Upstream, scope.Input(0)));
        }
    }

    internal static AxisSplit Split(int[] shape, bool perChannel, bool channelsLast)
    {
        if (perChannel)
        {
            return AxisSplit.Of(shape, channelsLast ? -1 : 1);
        }
        int elements = 1;
        foreach (int extent in shape)
        {
            elements *= extent;
        }
        return new AxisSplit(1, 1, elements);
    }
}

/// <summary>dx = dy where x &gt; 0, otherwise weight·dy. Inputs: dy, x, weight. Output: dx.</summary>
public sealed record PReluInputGradient(bool PerChannel, bool ChannelsLast) : Op
{
    public override string Kind => "prelu_input_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(3);
        return [scope[1]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        PReluJob<T>.Run(context.Input(1), context.Input(0), context.Input(2), context.Output(0), PRelu.Split(context.InputShape(1), PerChannel, ChannelsLast), context.Pool);
}

/// <summary>dweight = Σ dy·x over the x that are not positive. Inputs: dy, x. Output: dweight (1 or channels).</summary>
public sealed record PReluWeightGradient(bool PerChannel, bool ChannelsLast) : Op
{
    public override string Kind => "prelu_weight_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [new TensorType(Shape.Of(PerChannel ? scope.Shape(1)[ChannelAxis.Of(ChannelsLast)] : 1))];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        ChannelDotJob<T, SlopeTerm<T>>.Run(context.Input(0), context.Input(1), context.Output(0), PRelu.Split(context.InputShape(1), PerChannel, ChannelsLast), context.Pool);
}

/// <summary>The verb of <see cref="PRelu"/>.</summary>
public static class PReluLayer
{
    public static NetworkCursor PRelu(this NetworkCursor network, bool perChannel = false, double initialSlope = 0.25, string? name = null, bool channelsLast = false) =>
        network.Then(new PRelu(perChannel, initialSlope, channelsLast), name);
}

/// <summary>result = value where x &gt; 0, otherwise slope·value: forward with value = x, backward with value = dy.</summary>
internal unsafe struct PReluJob<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* x, value, slope, result;
    private AxisSplit split;
    private int first;

    public static void Run(Buffer<T> x, Buffer<T> value, Buffer<T> slope, Buffer<T> result, AxisSplit split, WorkerPool pool)
    {
        if (split.Length == 1)
        {
            Elementwise.Zip(new Shared(slope.Pointer[0]), x, value, result, pool);
            return;
        }
        PReluJob<T> job = new() { x = x.Pointer, value = value.Pointer, slope = slope.Pointer, result = result.Pointer, split = split };
        pool.Run(ref job, split.Outer);
    }

    public readonly void Execute(int part, int worker)
    {
        PReluJob<T> mine = this;
        mine.first = part;
        VectorKernel.Run<T, PReluJob<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        long sample = (long)first * split.Length * split.Inner;
        if (split.Inner == 1)
        {
            for (int channel = 0; channel < split.Length; channel += V.Count)
            {
                Apply(VectorKernel.Read<V, T>(slope + channel, split.Length - channel), sample + channel, split.Length - channel);
            }
            return;
        }
        for (int channel = 0; channel < split.Length; channel++)
        {
            long plane = sample + (long)channel * split.Inner;
            for (int i = 0; i < split.Inner; i += V.Count)
            {
                Apply(V.Broadcast(slope[channel]), plane + i, split.Inner - i);
            }
        }
    }

    private readonly void Apply<V>(V slopes, long at, int count) where V : struct, ISimd<V, T>
    {
        V values = VectorKernel.Read<V, T>(value + at, count);
        V positive = V.GreaterThan(VectorKernel.Read<V, T>(x + at, count), V.Zero);
        VectorKernel.Write(V.Select(positive, values, slopes * values), result + at, count);
    }

    private readonly struct Shared(T slope) : IBinaryOperator<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x, V value) where V : struct, ISimd<V, T> =>
            V.Select(V.GreaterThan(x, V.Zero), value, V.Broadcast(slope) * value);
    }
}

/// <summary>dy·min(x, 0), what an element adds to the gradient of the slope.</summary>
internal readonly struct SlopeTerm<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V upstream, V x) where V : struct, ISimd<V, T> => V.Select(V.GreaterThan(x, V.Zero), V.Zero, x * upstream);
}
