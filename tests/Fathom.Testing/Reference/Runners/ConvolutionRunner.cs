using System.Text.Json;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Testing.Reference.Runners;

/// <summary>conv1d, conv2d.</summary>
public sealed class ConvolutionRunner : SingleOpRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["conv1d", "conv2d"];

    protected override Op OpOf(ReferenceCase reference)
    {
        int[] kernel = Window.Numbers(reference, "kernel_size");
        int[] stride = Window.Numbers(reference, "stride");
        int[] dilation = Window.Numbers(reference, "dilation");
        int filters = (int)reference.Number("out_channels");
        int groups = (int)reference.Number("groups", 1);
        Padding padding = Window.PaddingOf(reference);
        return reference.Op == "conv1d"
            ? new Conv1d(filters, kernel[0], stride[0], padding, dilation[0], groups, reference.Flag("bias", true))
            : new Conv2d(filters, Window.Size(kernel), Window.Size(stride), padding, Window.Size(dilation), groups, reference.Flag("bias", true));
    }
}

/// <summary>max_pool2d, avg_pool2d, adaptive_avg_pool2d, global_avg_pool2d.</summary>
public sealed class ConvolutionPoolRunner : SingleOpRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "global_avg_pool2d"];

    protected override int OutputIndex(string output) => output == "indices" ? 1 : 0;

    protected override Op OpOf(ReferenceCase reference)
    {
        if (reference.Op == "adaptive_avg_pool2d")
        {
            return new AdaptiveAvgPool2d(Window.Size(Window.Numbers(reference, "output_size")));
        }
        if (reference.Op == "global_avg_pool2d")
        {
            return new GlobalAvgPool(reference.Flag("keepdim"));
        }
        Size2d kernel = Window.Size(Window.Numbers(reference, "kernel_size"));
        Size2d stride = reference.Has("stride") && reference.Attributes.GetProperty("stride").ValueKind != JsonValueKind.Null ? Window.Size(Window.Numbers(reference, "stride")) : kernel;
        bool ceil = reference.Flag("ceil_mode");
        return reference.Op == "avg_pool2d"
            ? new AvgPool2d(kernel, stride, Window.PaddingOf(reference), ceil, reference.Flag("count_include_pad", true))
            : new MaxPool2d(kernel, stride, Window.PaddingOf(reference), Window.Size(Window.Numbers(reference, "dilation")), ceil);
    }
}

/// <summary>Attributes of windows: one number for each axis.</summary>
internal static class Window
{
    public static int[] Numbers(ReferenceCase reference, string attribute)
    {
        JsonElement value = reference.Attributes.GetProperty(attribute);
        return value.ValueKind == JsonValueKind.Number ? [value.GetInt32()] : [.. value.EnumerateArray().Select(item => item.GetInt32())];
    }

    public static Size2d Size(int[] numbers) => new(numbers[0], numbers[^1]);

    public static Padding PaddingOf(ReferenceCase reference)
    {
        if (reference.TextAttribute("padding") is { } text)
        {
            return Padding.Parse(text, null);
        }
        int[] numbers = Numbers(reference, "padding");
        return new Padding(numbers[0], numbers[^1]);
    }
}
