using System.Globalization;

namespace Fathom.Graphs.Ops;

/// <summary>Windows that slide along one axis of an image: what convolution and pooling share.</summary>
/// <param name="Input">Elements of the axis.</param>
/// <param name="Output">Windows.</param>
/// <param name="Kernel">Elements of a window.</param>
/// <param name="Stride">From one window to the next.</param>
/// <param name="Dilation">From one element of a window to the next.</param>
/// <param name="Before">Padding in front.</param>
/// <param name="After">Padding behind.</param>
internal readonly record struct WindowAxis(int Input, int Output, int Kernel, int Stride, int Dilation, int Before, int After)
{
    /// <summary>Elements from the first of a window to its last.</summary>
    public int Reach => (Kernel - 1) * Dilation + 1;

    /// <summary>Largest kernel, stride, dilation, padding and reach, so that no sum of them overflows.</summary>
    public const int Most = 1 << 28;

    /// <summary>The number of windows. With <paramref name="ceil"/> one may hang over the end, but must start before it.</summary>
    public static WindowAxis Of(int input, int kernel, int stride, int dilation, bool same, int padding, bool ceil = false)
    {
        int reach = (kernel - 1) * dilation + 1;
        if (same)
        {
            int outputs = (input - 1) / stride + 1;
            int total = (int)Math.Max(0, (outputs - 1L) * stride + reach - input);
            return new WindowAxis(input, outputs, kernel, stride, dilation, total / 2, total - total / 2);
        }
        long room = input + 2L * padding - reach;
        long output = room < 0 ? 0 : room / stride + 1;
        if (ceil && room >= 0)
        {
            output = (room + stride - 1) / stride + 1;
            output -= (output - 1) * stride >= input + padding ? 1 : 0;
        }
        return new WindowAxis(input, (int)Math.Min(output, int.MaxValue), kernel, stride, dilation, padding, padding);
    }
}

/// <summary>The windows of an op over (N, C, H, W), (N, C, W), or with channels last.</summary>
/// <param name="Channels">Channels of the input.</param>
/// <param name="Vertical">Along the height; for one dimension a single window of one element.</param>
/// <param name="Horizontal">Along the width.</param>
internal readonly record struct WindowGrid(int Channels, WindowAxis Vertical, WindowAxis Horizontal)
{
    /// <summary>Height and width of the images in a shape of rank 4, or 1 and the length for rank 3; and the axis of the channels.</summary>
    public static (int Height, int Width, int Channels) Image(int[] shape, bool channelsLast)
    {
        int first = channelsLast ? 1 : 2;
        return (shape.Length == 4 ? shape[first] : 1, shape[shape.Length == 4 ? first + 1 : first], shape[channelsLast ? ^1 : 1]);
    }

    /// <summary>Checks the data input of an op with windows: rank, and fixed extents.</summary>
    /// <param name="scope">The op's scope.</param>
    /// <param name="dimensions">1 or 2.</param>
    /// <param name="channelsLast">Where the channels are.</param>
    public static void RequireImage(ShapeScope scope, int dimensions, bool channelsLast)
    {
        scope.RequireKind(0, ElementKind.Real);
        Shape shape = scope.Shape(0);
        if (shape.Rank != dimensions + 2 || shape.Dims.Skip(1).Any(dim => dim.PerSample || dim.Size < 1))
        {
            string axes = (dimensions, channelsLast) switch
            {
                (1, false) => "(N, channels, length)",
                (1, true) => "(N, length, channels)",
                (_, false) => "(N, channels, height, width)",
                _ => "(N, height, width, channels)",
            };
            throw scope.Error($"an input of shape {axes}", $"shape {shape}");
        }
    }

    /// <summary>Checks kernel, stride, dilation and padding, and that there is a window.</summary>
    public static WindowGrid Require(ShapeScope scope, Size2d kernel, Size2d stride, Size2d dilation, Padding padding, bool ceil, bool channelsLast)
    {
        RequirePositive(scope, "kernel", kernel);
        RequirePositive(scope, "stride", stride);
        RequirePositive(scope, "dilation", dilation);
        if (padding.Height < 0 || padding.Width < 0)
        {
            throw scope.BadAttribute("padding", padding, "valid, same, or 0 or more");
        }
        RequireSmall(scope, kernel, dilation, padding);
        WindowGrid grid = Of([.. scope.Shape(0).Dims.Select(dim => dim.Size)], kernel, stride, dilation, padding, ceil, channelsLast);
        if (grid.Vertical.Output < 1 || grid.Horizontal.Output < 1)
        {
            bool isImage = scope.Shape(0).Rank == 4;
            string reach = isImage ? $"{grid.Vertical.Reach} by {grid.Horizontal.Reach}" : grid.Horizontal.Reach.ToString(CultureInfo.InvariantCulture);
            throw scope.Error(FormattableString.Invariant($"an input that, with its padding, is as large as a window of {reach}"), $"shape {scope.Shape(0)}");
        }
        return grid;
    }

    /// <summary>The windows over an input of a shape, whose batch does not matter; of one dimension the widths count.</summary>
    public static WindowGrid Of(int[] shape, Size2d kernel, Size2d stride, Size2d dilation, Padding padding, bool ceil, bool channelsLast)
    {
        (int height, int width, int channels) = Image(shape, channelsLast);
        return new WindowGrid(channels,
            shape.Length == 4 ? WindowAxis.Of(height, kernel.Height, stride.Height, dilation.Height, padding.IsSame, padding.Height, ceil) : new WindowAxis(1, 1, 1, 1, 1, 0, 0),
            WindowAxis.Of(width, kernel.Width, stride.Width, dilation.Width, padding.IsSame, padding.Width, ceil));
    }

    /// <summary>The shape of the output for an input of the given one.</summary>
    public Shape Output(Shape input, int channels, bool channelsLast)
    {
        Dim[] extents = input.Rank == 4 ? [Vertical.Output, Horizontal.Output] : [Horizontal.Output];
        return new Shape(channelsLast ? [input[0], .. extents, channels] : [input[0], channels, .. extents]);
    }

    private static string Limit => FormattableString.Invariant($"at most {WindowAxis.Most}");

    private static void RequirePositive(ShapeScope scope, string attribute, Size2d size)
    {
        if (!size.Positive)
        {
            throw scope.BadAttribute(attribute, size, "1 or more");
        }
        if (Math.Max(size.Height, size.Width) > WindowAxis.Most)
        {
            throw scope.BadAttribute(attribute, size, Limit);
        }
    }

    private static void RequireSmall(ShapeScope scope, Size2d kernel, Size2d dilation, Padding padding)
    {
        if (Math.Max(padding.Height, padding.Width) > WindowAxis.Most)
        {
            throw scope.BadAttribute("padding", padding, Limit);
        }
        if (Math.Max((kernel.Height - 1L) * dilation.Height, (kernel.Width - 1L) * dilation.Width) >= WindowAxis.Most)
        {
            throw scope.BadAttribute("dilation", dilation, FormattableString.Invariant($"such that a window reaches over at most {WindowAxis.Most} elements"));
        }
    }
}
