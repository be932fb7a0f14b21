using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>
/// What max pools share: y is the largest element of a window; padding counts as −∞, and a NaN in a window is its maximum.
/// Of equal elements the first is taken, and it alone gets the gradient. Input: x. Outputs: y, and where the maximum was
/// found, as row · width + column in the plane without its padding; −1 for a window whose dilation steps over the image.
/// </summary>
public abstract record MaxPoolOp : Op
{
    /// <summary>1 or 2.</summary>
    protected abstract int Dimensions { get; }

    public abstract bool CeilMode { get; init; }

    public abstract bool ChannelsLast { get; init; }

    /// <summary>Kernel, stride, dilation and padding as of two dimensions; of one dimension the widths count.</summary>
    protected abstract (Size2d Kernel, Size2d Stride, Size2d Dilation, Padding Padding) Window { get; }

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        WindowGrid.RequireImage(scope, Dimensions, ChannelsLast);
        (Size2d kernel, Size2d stride, Size2d dilation, Padding padding) = Window;
        WindowGrid grid = WindowGrid.Require(scope, kernel, stride, dilation, padding, CeilMode, ChannelsLast);
        PoolJob.RequirePadding(scope, grid, padding);
        Shape shape = grid.Output(scope.Shape(0), grid.Channels, ChannelsLast);
        return [new TensorType(shape), new TensorType(shape, ElementKind.Index)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        (Size2d kernel, Size2d stride, Size2d dilation, Padding padding) = Window;
        WindowGrid grid = WindowGrid.Of(context.InputShape(0), kernel, stride, dilation, padding, CeilMode, ChannelsLast);
        PoolJob.Max(context, grid, ChannelsLast);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new MaxPoolGradient(scope.Input(0).Shape, ChannelsLast), "input", scope.Upstream, scope.Output(1)));
        }
    }
}

/// <summary>dx of a max pool: each dy goes to where its maximum was found. Inputs: dy, indices. Output: dx.</summary>
public sealed record MaxPoolGradient(Shape Target, bool ChannelsLast) : Op
{
    public override string Kind => "max_pool_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [new TensorType(Target)];
    }

    public override void Run<T>(in KernelContext<T> context) => PoolJob.Scatter(context, ChannelsLast);
}

/// <summary>
/// Max pooling of images (N, channels, height, width), or with the channels last: the largest element of each window,
/// of equal ones the first. y[i, j] = max x[i·stride + u·dilation, j·stride + v·dilation]. Ranzato et al. (2007).
/// Padding counts as −∞. Outputs: y, and row · width + column of each maximum.
/// </summary>
/// <param name="Kernel">Height and width of a window.</param>
/// <param name="Stride">From one window to the next; null for the kernel.</param>
/// <param name="Padding">valid, same, or rows and columns on each side, at most half the kernel.</param>
/// <param name="Dilation">Rows and columns from one element of a window to the next.</param>
/// <param name="CeilMode">Whether a window may hang over the end; it must start before it.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
public sealed record MaxPool2d(Size2d Kernel, Size2d? Stride = null, Padding Padding = default, Size2d Dilation = default, bool CeilMode = false, bool ChannelsLast = false) : MaxPoolOp
{
    public override string Kind => "max_pool2d";

    public override bool CeilMode { get; init; } = CeilMode;

    public override bool ChannelsLast { get; init; } = ChannelsLast;

    protected override int Dimensions => 2;

    protected override (Size2d Kernel, Size2d Stride, Size2d Dilation, Padding Padding) Window => (Kernel, Stride ?? Kernel, Dilation, Padding);
}

/// <summary>
/// Max pooling of sequences (N, channels, length), or with the channels last. See <see cref="MaxPool2d"/>.
/// </summary>
/// <param name="Kernel">Length of a window.</param>
/// <param name="Stride">From one window to the next; null for the kernel.</param>
/// <param name="Padding">valid, same, or steps on each side, at most half the kernel.</param>
/// <param name="Dilation">Steps from one element of a window to the next.</param>
/// <param name="CeilMode">Whether a window may hang over the end; it must start before it.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
public sealed record MaxPool1d(int Kernel, int? Stride = null, Padding Padding = default, int Dilation = 1, bool CeilMode = false, bool ChannelsLast = false) : MaxPoolOp
{
    public override string Kind => "max_pool1d";

    public override bool CeilMode { get; init; } = CeilMode;

    public override bool ChannelsLast { get; init; } = ChannelsLast;

    protected override int Dimensions => 1;

    protected override (Size2d Kernel, Size2d Stride, Size2d Dilation, Padding Padding) Window => (Kernel, Stride ?? Kernel, Dilation, Padding);
}

/// <summary>The verb of <see cref="MaxPool2d"/>.</summary>
public static class MaxPool2dLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="kernel">Window: a number, or height and width.</param>
    /// <param name="stride">Stride; null for the kernel.</param>
    /// <param name="padding">Padding.</param>
    /// <param name="dilation">Dilation.</param>
    /// <param name="ceilMode">Whether a window may hang over the end.</param>
    /// <param name="channelsLast">Whether the channels are the last axis.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor MaxPool2d(this NetworkCursor network, Size2d kernel, Size2d? stride = null, Padding padding = default, Size2d dilation = default,
        bool ceilMode = false, bool channelsLast = false, string? name = null) => network.Then(new MaxPool2d(kernel, stride, padding, dilation, ceilMode, channelsLast), name);
}

/// <summary>The verb of <see cref="MaxPool1d"/>.</summary>
public static class MaxPool1dLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="kernel">Length of a window.</param>
    /// <param name="stride">Stride; null for the kernel.</param>
    /// <param name="padding">Padding.</param>
    /// <param name="dilation">Dilation.</param>
    /// <param name="ceilMode">Whether a window may hang over the end.</param>
    /// <param name="channelsLast">Whether the channels are the last axis.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor MaxPool1d(this NetworkCursor network, int kernel, int? stride = null, Padding padding = default, int dilation = 1,
        bool ceilMode = false, bool channelsLast = false, string? name = null) => network.Then(new MaxPool1d(kernel, stride, padding, dilation, ceilMode, channelsLast), name);
}
