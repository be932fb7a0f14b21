using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// y = weight·x with a learnt number, or with one for each index of an axis. On a residual branch: ReZero starts it at 0
/// (Bachlechner et al. 2021), SkipInit at 0 or 1/√depth (De and Smith 2020), LayerScale per channel at a small number
/// (Touvron et al. 2021). Inputs: x, weight (1), or (extent of the axis). Output: y of x's shape.
/// </summary>
/// <param name="InitialScale">The weight before step 1.</param>
/// <param name="Axis">The axis that has a number for each index, counted from the end if negative; none for one number for all.</param>
public sealed record Scale(double InitialScale = 1, int? Axis = null) : Op
{
    public override string Kind => "scale";

    public override MomentRule? Moments => new(
        static scope => scope.Inputs[0] with
        {
            Mean = scope.Inputs[0].Mean * scope.Inputs[1].Mean,
            SecondMoment = scope.Inputs[0].SecondMoment * scope.Inputs[1].SecondMoment,
        },
        static (scope, input) => input == 0 ? scope.Inputs[1].SecondMoment : double.NaN)
    {
        PullBack = static (scope, input) => input == 0
            ? scope.Upstream with { SecondMoment = scope.Inputs[1].SecondMoment }
            : new Moments(0, scope.UsesOf(scope.Node.Inputs[1].Shape.ElementsPerSample) * scope.Inputs[0].SecondMoment * scope.Coherence(scope.Inputs[0]), 0),
    };

    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs) =>
        Weights(dataInputs[0].Shape) is { } weights ? [new ParameterSlot("weight", weights, new ConstantInitializer(InitialScale))] : [];

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!double.IsFinite(InitialScale))
        {
            throw scope.BadAttribute("initial_scale", InitialScale, "finite");
        }
        if (scope.Inputs.Length > 0)
        {
            scope.RequireKind(0, ElementKind.Real);
            if (Weights(scope.Shape(0)) is null)
            {
                throw scope.Error($"an input with an axis {Axis!.Value.ToString(System.Globalization.CultureInfo.InvariantCulture)} of a fixed size", $"shape {scope.Shape(0)}");
            }
        }
        scope.RequireCount(2);
        scope.RequireShape(1, Weights(scope.Shape(0))!);
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        ScaleJob<T>.Run(context.Input(0), context.Input(1), context.Output(0), Split(context.InputShape(0), Axis), context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new Scale(InitialScale, Axis), "input", scope.Upstream, scope.Input(1)));
        }
        if (scope.Needs(1))
        {
            scope.Contribute(1, scope.Emit(new ScaleWeightGradient(Axis), "weight", scope.Upstream, scope.Input(0)));
        }
    }

    /// <summary>The shape of the weight, or null if x has no such axis.</summary>
    private Shape? Weights(Shape x)
    {
        if (Axis is not { } axis)
        {
            return Shape.Of(1);
        }
        int at = axis < 0 ? axis + x.Rank : axis;
        return at < 0 || at >= x.Rank || x[at].PerSample ? null : Shape.Of(x[at]);
    }

    internal static AxisSplit Split(int[] shape, int? axis)
    {
        if (axis is { } given)
        {
            return AxisSplit.Of(shape, given < 0 ? given + shape.Length : given);
        }
        int elements = 1;
        foreach (int extent in shape)
        {
            elements *= extent;
        }
        return new AxisSplit(1, 1, elements);
    }
}

/// <summary>dweight = Σ dy·x over all elements that share it. Inputs: dy, x. Output: dweight (1, or the axis' extent).</summary>
public sealed record ScaleWeightGradient(int? Axis) : Op
{
    public override string Kind => "scale_weight_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        Shape x = scope.Shape(1);
        return [new TensorType(Shape.Of(Axis is not { } axis ? 1 : x[axis < 0 ? axis + x.Rank : axis]))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        if (Axis is null)
        {
            context.Output(0).Span[0] = T.CreateTruncating(Reductions.Dot(context.Input(0), context.Input(1), context.Pool));
            return;
        }
        ChannelDotJob<T, Product<T>>.Run(context.Input(0), context.Input(1), context.Output(0), Scale.Split(context.InputShape(1), Axis), context.Pool);
    }
}

/// <summary>The verb of <see cref="Scale"/>.</summary>
public static class ScaleLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="initialScale">The learnt number before step 1.</param>
    /// <param name="axis">The axis that has a number for each index; null for one number for all.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor Scale(this NetworkCursor network, double initialScale = 1, int? axis = null, string? name = null) =>
        network.Then(new Scale(initialScale, axis), name);
}

/// <summary>y = weight·x along an axis, a part for each index of the axes before it.</summary>
internal unsafe struct ScaleJob<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* x, weight, y;
    private AxisSplit split;
    private int first;

    public static void Run(Buffer<T> x, Buffer<T> weight, Buffer<T> y, AxisSplit split, WorkerPool pool)
    {
        if (split.Length == 1)
        {
            Elementwise.Map(new Multiple<T>(weight.Pointer[0]), x, y, pool);
            return;
        }
        ScaleJob<T> job = new() { x = x.Pointer, weight = weight.Pointer, y = y.Pointer, split = split };
        pool.Run(ref job, split.Outer);
    }

    public readonly void Execute(int part, int worker)
    {
        ScaleJob<T> mine = this;
        mine.first = part;
        VectorKernel.Run<T, ScaleJob<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        long start = (long)first * split.Length * split.Inner;
        if (split.Inner == 1)
        {
            for (int i = 0; i < split.Length; i += V.Count)
            {
                int count = split.Length - i;
                VectorKernel.Write(VectorKernel.Read<V, T>(x + start + i, count) * VectorKernel.Read<V, T>(weight + i, count), y + start + i, count);
            }
            return;
        }
        for (int index = 0; index < split.Length; index++, start += split.Inner)
        {
            V factor = V.Broadcast(weight[index]);
            for (int i = 0; i < split.Inner; i += V.Count)
            {
                VectorKernel.Write(VectorKernel.Read<V, T>(x + start + i, split.Inner - i) * factor, y + start + i, split.Inner - i);
            }
        }
    }
}

/// <summary>x times a number.</summary>
internal readonly struct Multiple<T>(T factor) : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => x * V.Broadcast(factor);
}
