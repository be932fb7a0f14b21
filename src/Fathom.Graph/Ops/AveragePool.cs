using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>What average pools share: y is the mean of a window. Input: x. Output: y.</summary>
public abstract record AveragePoolOp : Op
{
    /// <summary>1 or 2.</summary>
    protected abstract int Dimensions { get; }

    public abstract bool ChannelsLast { get; init; }

    /// <summary>Says what is wrong with the attributes, if something is.</summary>
    protected abstract void RequireWindows(ShapeScope scope);

    /// <summary>The windows over an input of a bound shape.</summary>
    internal abstract (int Channels, AverageAxis Vertical, AverageAxis Horizontal) Windows(int[] input);

    /// <summary>Each window is a mean over positions that have something in common; its gradient is spread evenly.</summary>
    public override MomentRule? Moments => new(
        scope => Map(scope).Apply(scope.Inputs[0], Pooled(scope)),
        (scope, _) => Map(scope).Squares / Map(scope).Inputs)
    {
        PullBack = (scope, _) => Map(scope.Forward).Transposed.Apply(scope.Upstream, scope.Inputs[0].Positions?.Flattened()),
    };

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        WindowGrid.RequireImage(scope, Dimensions, ChannelsLast);
        RequireWindows(scope);
        Shape x = scope.Shape(0);
        (int channels, AverageAxis vertical, AverageAxis horizontal) = Windows([.. x.Dims.Select(dim => dim.Size)]);
        Dim[] extents = x.Rank == 4 ? [vertical.Output, horizontal.Output] : [horizontal.Output];
        return [new TensorType(new Shape(ChannelsLast ? [x[0], .. extents, channels] : [x[0], channels, .. extents]))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        (_, AverageAxis vertical, AverageAxis horizontal) = Windows(context.InputShape(0));
        PoolJob.Average(context, vertical, horizontal, ChannelsLast);
    }

    private PositionMap Map(MomentScope scope)
    {
        (_, AverageAxis vertical, AverageAxis horizontal) = Windows(scope.Node.Inputs[0].Shape.Bind(1));
        return vertical.Map().Times(horizontal.Map());
    }

    private PositionMoments? Pooled(MomentScope scope) =>
        scope.Inputs[0].Positions is { } positions ? PositionMoments.Flat(scope.Node.Outputs[0].Shape, positions.Axes, 1, 1) : null;

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new AveragePoolGradient(this, scope.Input(0).Shape), "input", scope.Upstream));
        }
    }
}

/// <summary>dx of an average pool: each dy is shared out evenly over its window. Input: dy. Output: dx.</summary>
public sealed record AveragePoolGradient(AveragePoolOp Forward, Shape Target) : Op
{
    public override string Kind => "average_pool_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        return [new TensorType(Target)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        (_, AverageAxis vertical, AverageAxis horizontal) = Forward.Windows(context.OutputShape(0));
        PoolJob.Spread(context, vertical, horizontal, Forward.ChannelsLast);
    }
}

/// <summary>Windows along one axis, and by how much each is divided.</summary>
internal readonly record struct AverageAxis(int Input, int Output, WindowAxis Window, bool Adaptive, bool CountPadding)
{
    public static AverageAxis Sliding(WindowAxis window, bool countPadding) => new(window.Input, window.Output, window, false, countPadding);

    /// <summary>Window i covers ⌊i·n/m⌋ up to, not including, ⌈(i + 1)·n/m⌉.</summary>
    public static AverageAxis AdaptiveTo(int input, int output) => new(input, output, default, true, false);

    public int Start(int i) => Adaptive ? (int)((long)i * Input / Output) : Math.Max(0, i * Window.Stride - Window.Before);

    public int End(int i) => Adaptive ? (int)(((long)(i + 1) * Input + Output - 1) / Output) : Math.Min(Input, i * Window.Stride - Window.Before + Window.Kernel);

    /// <summary>The weights of all windows.</summary>
    public PositionMap Map()
    {
        (int Start, double[] Weights)[] rows = new (int, double[])[Output];
        for (int i = 0; i < Output; i++)
        {
            rows[i] = (Start(i), [.. Enumerable.Repeat(1.0 / Count(i), Math.Max(0, End(i) - Start(i)))]);
        }
        return PositionMap.Of(rows, Input);
    }

    public int Count(int i) => CountPadding
        ? Math.Min(Window.Kernel, Input + Window.After - (i * Window.Stride - Window.Before))
        : End(i) - Start(i);
}

/// <summary>
/// Average pooling of images (N, channels, height, width), or with the channels last. y[i, j] = Σ x[i·stride + u,
/// j·stride + v]/(kernel height · kernel width). LeCun et al. (1989).
/// </summary>
/// <param name="Kernel">Height and width of a window.</param>
/// <param name="Stride">From one window to the next; null for the kernel.</param>
/// <param name="Padding">valid, same, or rows and columns of zeros on each side, at most half the kernel.</param>
/// <param name="CeilMode">Whether a window may hang over the end; it must start before it. What hangs over does not count.</param>
/// <param name="CountIncludePad">Whether the zeros of the padding count in the mean; Keras' «same» wants false.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
public sealed record AvgPool2d(Size2d Kernel, Size2d? Stride = null, Padding Padding = default, bool CeilMode = false, bool CountIncludePad = true, bool ChannelsLast = false) : AveragePoolOp
{
    public override string Kind => "avg_pool2d";

    public override bool ChannelsLast { get; init; } = ChannelsLast;

    protected override int Dimensions => 2;

    protected override void RequireWindows(ShapeScope scope) =>
        PoolJob.RequirePadding(scope, WindowGrid.Require(scope, Kernel, Stride ?? Kernel, default, Padding, CeilMode, ChannelsLast), Padding);

    internal override (int Channels, AverageAxis Vertical, AverageAxis Horizontal) Windows(int[] input)
    {
        WindowGrid grid = WindowGrid.Of(input, Kernel, Stride ?? Kernel, default, Padding, CeilMode, ChannelsLast);
        return (grid.Channels, AverageAxis.Sliding(grid.Vertical, CountIncludePad), AverageAxis.Sliding(grid.Horizontal, CountIncludePad));
    }
}

/// <summary>
/// Average pooling of sequences (N, channels, length), or with the channels last. See <see cref="AvgPool2d"/>.
/// </summary>
/// <param name="Kernel">Length of a window.</param>
/// <param name="Stride">From one window to the next; null for the kernel.</param>
/// <param name="Padding">valid, same, or zeros on each side, at most half the kernel.</param>
/// <param name="CeilMode">Whether a window may hang over the end; it must start before it.</param>
/// <param name="CountIncludePad">Whether the zeros of the padding count in the mean.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
public sealed record AvgPool1d(int Kernel, int? Stride = null, Padding Padding = default, bool CeilMode = false, bool CountIncludePad = true, bool ChannelsLast = false) : AveragePoolOp
{
    public override string Kind => "avg_pool1d";

    public override bool ChannelsLast { get; init; } = ChannelsLast;

    protected override int Dimensions => 1;

    protected override void RequireWindows(ShapeScope scope) =>
        PoolJob.RequirePadding(scope, WindowGrid.Require(scope, Kernel, Stride ?? Kernel, default, Padding, CeilMode, ChannelsLast), Padding);

    internal override (int Channels, AverageAxis Vertical, AverageAxis Horizontal) Windows(int[] input)
    {
        WindowGrid grid = WindowGrid.Of(input, Kernel, Stride ?? Kernel, default, Padding, CeilMode, ChannelsLast);
        return (grid.Channels, AverageAxis.Sliding(grid.Vertical, CountIncludePad), AverageAxis.Sliding(grid.Horizontal, CountIncludePad));
    }
}

/// <summary>
/// Average pooling of images to a given size: window i of m covers ⌊i·n/m⌋ up to, not including, ⌈(i + 1)·n/m⌉.
/// PyTorch's AdaptiveAvgPool2d.
/// </summary>
/// <param name="OutputSize">Height and width of the output.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
public sealed record AdaptiveAvgPool2d(Size2d OutputSize, bool ChannelsLast = false) : AveragePoolOp
{
    public override string Kind => "adaptive_avg_pool2d";

    public override bool ChannelsLast { get; init; } = ChannelsLast;

    protected override int Dimensions => 2;

    protected override void RequireWindows(ShapeScope scope)
    {
        if (!OutputSize.Positive)
        {
            throw scope.BadAttribute("output_size", OutputSize, "1 or more");
        }
    }

    internal override (int Channels, AverageAxis Vertical, AverageAxis Horizontal) Windows(int[] input)
    {
        (int height, int width, int channels) = WindowGrid.Image(input, ChannelsLast);
        return (channels, AverageAxis.AdaptiveTo(height, OutputSize.Height), AverageAxis.AdaptiveTo(width, OutputSize.Width));
    }
}

/// <summary>The verb of <see cref="AvgPool2d"/>.</summary>
public static class AvgPool2dLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="kernel">Window: a number, or height and width.</param>
    /// <param name="stride">Stride; null for the kernel.</param>
    /// <param name="padding">Padding.</param>
    /// <param name="ceilMode">Whether a window may hang over the end.</param>
    /// <param name="countIncludePad">Whether padding counts in the mean.</param>
    /// <param name="channelsLast">Whether the channels are the last axis.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor AvgPool2d(this NetworkCursor network, Size2d kernel, Size2d? stride = null, Padding padding = default, bool ceilMode = false,
        bool countIncludePad = true, bool channelsLast = false, string? name = null) => network.Then(new AvgPool2d(kernel, stride, padding, ceilMode, countIncludePad, channelsLast), name);
}

/// <summary>The verb of <see cref="AvgPool1d"/>.</summary>
public static class AvgPool1dLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="kernel">Length of a window.</param>
    /// <param name="stride">Stride; null for the kernel.</param>
    /// <param name="padding">Padding.</param>
    /// <param name="ceilMode">Whether a window may hang over the end.</param>
    /// <param name="countIncludePad">Whether padding counts in the mean.</param>
    /// <param name="channelsLast">Whether the channels are the last axis.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor AvgPool1d(this NetworkCursor network, int kernel, int? stride = null, Padding padding = default, bool ceilMode = false,
        bool countIncludePad = true, bool channelsLast = false, string? name = null) => network.Then(new AvgPool1d(kernel, stride, padding, ceilMode, countIncludePad, channelsLast), name);
}

/// <summary>The verb of <see cref="AdaptiveAvgPool2d"/>.</summary>
public static class AdaptiveAvgPool2dLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="outputSize">Height and width of the output.</param>
    /// <param name="channelsLast">Whether the channels are the last axis.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor AdaptiveAvgPool2d(this NetworkCursor network, Size2d outputSize, bool channelsLast = false, string? name = null) =>
        network.Then(new AdaptiveAvgPool2d(outputSize, channelsLast), name);
}
