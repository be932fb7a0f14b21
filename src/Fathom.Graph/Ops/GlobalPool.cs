using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>What global pools share: each channel's plane becomes one number.</summary>
public abstract record GlobalPoolOp : Op
{
    public abstract bool KeepDims { get; init; }

    public abstract bool ChannelsLast { get; init; }

    /// <summary>Shape of y for an x of (N, channels, length) or (N, channels, height, width).</summary>
    protected Shape OutputShape(ShapeScope scope)
    {
        scope.RequireCount(1);
        scope.RequireRank(0, 3, 4);
        Shape x = scope.Shape(0);
        WindowGrid.RequireImage(scope, x.Rank - 2, ChannelsLast);
        Dim channels = x[ChannelsLast ? ^1 : 1];
        Dim[] ones = KeepDims ? [.. Enumerable.Repeat(new Dim(1), x.Rank - 2)] : [];
        return new Shape(ChannelsLast ? [x[0], .. ones, channels] : [x[0], channels, .. ones]);
    }

    /// <summary>Samples (or planes), elements of a plane, and numbers that lie side by side at each of them.</summary>
    internal static AxisSplit Split(int[] shape, bool channelsLast)
    {
        (int height, int width, int channels) = WindowGrid.Image(shape, channelsLast);
        return channelsLast ? new AxisSplit(shape[0], height * width, channels) : new AxisSplit(shape[0] * channels, height * width, 1);
    }
}

/// <summary>
/// Mean of each channel's plane. y[n, c] = Σ x[n, c, i, j]/(height·width). Lin et al. (2013), Network in network.
/// Input: (N, channels, length) or (N, channels, height, width), or with the channels last. Output: (N, channels), or
/// with extents of 1 where the plane was.
/// </summary>
/// <param name="KeepDims">Whether the axes of the plane stay, with extents of 1.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
public sealed record GlobalAvgPool(bool KeepDims = false, bool ChannelsLast = false) : GlobalPoolOp
{
    public override string Kind => "global_avg_pool";

    public override bool KeepDims { get; init; } = KeepDims;

    public override bool ChannelsLast { get; init; } = ChannelsLast;

    public override MomentRule? Moments => new(
        static scope => PositionMap.Average(scope.Inputs[0].PositionCount).Apply(scope.Inputs[0], null),
        static (scope, _) => 1 / ((double)scope.Inputs[0].PositionCount * scope.Inputs[0].PositionCount))
    {
        PullBack = static (scope, _) => PositionMap.Average(scope.Inputs[0].PositionCount).Transposed.Apply(scope.Upstream with { Positions = null }, scope.Inputs[0].Positions?.Flattened()),
    };

    public override ImmutableArray<TensorType> Infer(ShapeScope scope) => [new TensorType(OutputShape(scope))];

    public override void Run<T>(in KernelContext<T> context) =>
        GlobalPoolJob<T>.Run(context.Input(0), context.Output(0), Split(context.InputShape(0), ChannelsLast), spread: false, context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new GlobalAvgPoolGradient(scope.Input(0).Shape, ChannelsLast), "input", scope.Upstream));
        }
    }
}

/// <summary>dx of a global mean: dy over the size of the plane, everywhere. Input: dy. Output: dx.</summary>
public sealed record GlobalAvgPoolGradient(Shape Target, bool ChannelsLast) : Op
{
    public override string Kind => "global_avg_pool_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        return [new TensorType(Target)];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        GlobalPoolJob<T>.Run(context.Output(0), context.Input(0), GlobalPoolOp.Split(context.OutputShape(0), ChannelsLast), spread: true, context.Pool);
}

/// <summary>
/// Largest element of each channel's plane; of equal ones the first gets the gradient, and NaN is the largest. y[n,
/// c] = max x[n, c, i, j]. Oquab et al. (2015). Input: (N, channels, length) or (N, channels, height, width), or with
/// the channels last. Outputs: (N, channels), or with extents of 1 where the plane was, and the position of each
/// maximum in its plane.
/// </summary>
/// <param name="KeepDims">Whether the axes of the plane stay, with extents of 1.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
public sealed record GlobalMaxPool(bool KeepDims = false, bool ChannelsLast = false) : GlobalPoolOp
{
    public override string Kind => "global_max_pool";

    public override bool KeepDims { get; init; } = KeepDims;

    public override bool ChannelsLast { get; init; } = ChannelsLast;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        Shape shape = OutputShape(scope);
        return [new TensorType(shape), new TensorType(shape, ElementKind.Index)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisSplit split = Split(context.InputShape(0), ChannelsLast);
        ReadOnlySpan<T> x = context.Input(0).Span;
        Span<T> y = context.Output(0).Span;
        Span<int> indices = context.Outputs[1].Index.Span;
        for (int i = 0; i < y.Length; i++)
        {
            ReadOnlySpan<T> plane = x[(i / split.Inner * split.Length * split.Inner + i % split.Inner)..];
            (T largest, int best) = (plane[0], 0);
            for (int j = 1; j < split.Length; j++)
            {
                T value = plane[j * split.Inner];
                if (value > largest || T.IsNaN(value))
                {
                    (largest, best) = (value, j);
                }
            }
            (y[i], indices[i]) = (largest, best);
        }
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new GlobalMaxPoolGradient(scope.Input(0).Shape, ChannelsLast), "input", scope.Upstream, scope.Output(1)));
        }
    }
}

/// <summary>dx of a global maximum: dy at the maximum, 0 elsewhere. Inputs: dy, positions. Output: dx.</summary>
public sealed record GlobalMaxPoolGradient(Shape Target, bool ChannelsLast) : Op
{
    public override string Kind => "global_max_pool_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [new TensorType(Target)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisSplit split = GlobalPoolOp.Split(context.OutputShape(0), ChannelsLast);
        Span<T> dx = context.Output(0).Span;
        ReadOnlySpan<T> dy = context.Input(0).Span;
        ReadOnlySpan<int> indices = context.Inputs[1].Index.Span;
        dx.Clear();
        for (int i = 0; i < dy.Length; i++)
        {
            dx[i / split.Inner * split.Length * split.Inner + indices[i] * split.Inner + i % split.Inner] = dy[i];
        }
    }
}

/// <summary>The verb of <see cref="GlobalAvgPool"/>.</summary>
public static class GlobalAvgPoolLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="keepDims">Whether the axes of the plane stay, with extents of 1.</param>
    /// <param name="channelsLast">Whether the channels are the last axis.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor GlobalAvgPool(this NetworkCursor network, bool keepDims = false, bool channelsLast = false, string? name = null) =>
        network.Then(new GlobalAvgPool(keepDims, channelsLast), name);
}

/// <summary>The verb of <see cref="GlobalMaxPool"/>.</summary>
public static class GlobalMaxPoolLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="keepDims">Whether the axes of the plane stay, with extents of 1.</param>
    /// <param name="channelsLast">Whether the channels are the last axis.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor GlobalMaxPool(this NetworkCursor network, bool keepDims = false, bool channelsLast = false, string? name = null) =>
        network.Then(new GlobalMaxPool(keepDims, channelsLast), name);
}

/// <summary>The mean over the middle axis of (outer, length, inner), or the way back: a value spread over it.</summary>
internal unsafe struct GlobalPoolJob<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int ElementsPerPart = 32768;

    private T* fine, coarse;
    private AxisSplit split;
    private int outerPerPart, first;
    private bool spread;

    public static void Run(Buffer<T> fine, Buffer<T> coarse, AxisSplit split, bool spread, WorkerPool pool)
    {
        int perPart = Math.Max(1, ElementsPerPart / Math.Max(1, split.Length * split.Inner));
        GlobalPoolJob<T> job = new() { fine = fine.Pointer, coarse = coarse.Pointer, split = split, outerPerPart = perPart, spread = spread };
        pool.Run(ref job, (split.Outer + perPart - 1) / perPart);
    }

    public readonly void Execute(int part, int worker)
    {
        GlobalPoolJob<T> mine = this;
        mine.first = part * outerPerPart;
        VectorKernel.Run<T, GlobalPoolJob<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int end = Math.Min(split.Outer, first + outerPerPart);
        for (int outer = first; outer < end; outer++)
        {
            T* plane = fine + (nint)outer * split.Length * split.Inner;
            T* means = coarse + (nint)outer * split.Inner;
            if (split.Inner == 1 && spread)
            {
                new Span<T>(plane, split.Length).Fill(means[0] / T.CreateTruncating(split.Length));
            }
            else if (split.Inner == 1)
            {
                V sum = V.Zero;
                for (int i = 0; i < split.Length; i += V.Count)
                {
                    sum += VectorKernel.Read<V, T>(plane + i, split.Length - i);
                }
                means[0] = V.Sum(sum) / T.CreateTruncating(split.Length);
            }
            else
            {
                SideBySide<V>(plane, means);
            }
        }
    }

    private readonly void SideBySide<V>(T* plane, T* means) where V : struct, ISimd<V, T>
    {
        V count = V.Constant(split.Length);
        for (int i = 0; i < split.Inner; i += V.Count)
        {
            int lanes = split.Inner - i;
            V value = spread ? VectorKernel.Read<V, T>(means + i, lanes) / count : V.Zero;
            for (int j = 0; j < split.Length; j++)
            {
                T* at = plane + (nint)j * split.Inner + i;
                if (spread)
                {
                    VectorKernel.Write(value, at, lanes);
                }
                else
                {
                    value += VectorKernel.Read<V, T>(at, lanes);
                }
            }
            if (!spread)
            {
                VectorKernel.Write(value / count, means + i, lanes);
            }
        }
    }
}
