using System.Text.Json;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Formats.Keras;

/// <summary>Convolutions and pooling. Keras has the channels last unless data_format says otherwise.</summary>
internal static class KerasConvolutionLayers
{
    public static void ReadConvolution(KerasLayer layer, int axes)
    {
        KerasJson config = layer.Config;
        (int filters, int groups, bool bias, bool last) = (config.Whole("filters", 1), config.Whole("groups", 1, 1), config.Flag("use_bias", true), ChannelsLast(config));
        (Size2d kernel, Size2d stride, Size2d dilation, Padding padding) = ReadWindow(config, axes);
        Dictionary<string, Initializer> initializers = KerasCoreLayers.ReadKernel(layer, "kernel", bias, axes + 2);
        Op op = axes == 1
            ? new Conv1d(filters, kernel.Width, stride.Width, padding, dilation.Width, groups, bias, last)
            : new Conv2d(filters, kernel, stride, padding, dilation, groups, bias, last);
        layer.Emit(op, initializers);
        layer.EmitActivation("activation");
    }

    public static void ReadDepthwise(KerasLayer layer)
    {
        bool bias = layer.Config.Flag("use_bias", true);
        Dictionary<string, Initializer> initializers = KerasCoreLayers.ReadKernel(layer, "depthwise", bias, 4);
        EmitDepthwise(layer, layer.Name, initializers, bias);
        layer.Config.Ignore("filters", "groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint");
        layer.EmitActivation("activation");
    }

    /// <summary>A depthwise convolution, then one with a kernel of 1.</summary>
    public static void ReadSeparable(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        bool bias = config.Flag("use_bias", true);
        Dictionary<string, Initializer> depthwise = KerasCoreLayers.ReadKernel(layer, "depthwise", useBias: false, 4, $"{layer.Name}_depthwise");
        Dictionary<string, Initializer> pointwise = KerasCoreLayers.ReadKernel(layer, "pointwise", bias, 4);
        EmitDepthwise(layer, $"{layer.Name}_depthwise", depthwise, bias: false);
        layer.Emit(new Conv2d(config.Whole("filters", 1), 1, Bias: bias, ChannelsLast: ChannelsLast(config)), pointwise);
        config.Ignore("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint");
        layer.EmitActivation("activation");
    }

    public static void ReadPooling(KerasLayer layer, int axes, bool isMaximum)
    {
        KerasJson config = layer.Config;
        bool last = ChannelsLast(config);
        Size2d size = Extents(config, "pool_size", axes, 2);
        Size2d stride = config.Has("strides") ? Extents(config, "strides", axes, 1) : size;
        Padding padding = ReadPadding(config);
        layer.Emit((axes, isMaximum) switch
        {
            (1, true) => new MaxPool1d(size.Width, stride.Width, padding, ChannelsLast: last),
            (1, false) => new AvgPool1d(size.Width, stride.Width, padding, CountIncludePad: false, ChannelsLast: last),
            (_, true) => new MaxPool2d(size, stride, padding, ChannelsLast: last),
            _ => new AvgPool2d(size, stride, padding, CountIncludePad: false, ChannelsLast: last),
        });
    }

    public static void ReadGlobalPooling(KerasLayer layer, bool isMaximum)
    {
        (bool keep, bool last) = (layer.Config.Flag("keepdims", false), ChannelsLast(layer.Config));
        if (layer.Mask(0) is not null && !isMaximum)
        {
            throw layer.Config.Error("the mean over the steps that a mask leaves is not supported; allowed: an input without a mask");
        }
        layer.Emit(isMaximum ? new GlobalMaxPool(keep, last) : new GlobalAvgPool(keep, last));
    }

    public static bool ChannelsLast(KerasJson config)
    {
        string order = config.Text("data_format", "channels_last");
        return order is "channels_last" or "channels_first" ? order == "channels_last"
            : throw config.KeyError("data_format", $"{ModelFormatException.Quote(order)} is no order of the axes", "channels_last, channels_first");
    }

    private static void EmitDepthwise(KerasLayer layer, string name, Dictionary<string, Initializer> initializers, bool bias)
    {
        KerasJson config = layer.Config;
        int multiplier = config.Whole("depth_multiplier", 1, 1);
        bool last = ChannelsLast(config);
        (Size2d kernel, Size2d stride, Size2d dilation, Padding padding) = ReadWindow(config, 2);
        DepthwiseConv2d op = new(kernel, multiplier, stride, padding, dilation, bias, last);
        layer.Emit(new KerasNode(name, op)
        {
            Initializers = initializers,
            Resolve = inputs =>
            {
                double area = kernel.Height * kernel.Width;
                double channels = inputs[0].Shape.Rank == 4 ? inputs[0].Shape[last ? 3 : 1].Size : 1;
                Dictionary<string, Initializer> own = new(initializers)
                {
                    ["weight"] = KerasFans.Keep(initializers["weight"], new Fans(channels * area, multiplier * area), new Fans(area, channels * multiplier * area)),
                };
                return (op, own);
            },
        });
    }

    private static (Size2d Kernel, Size2d Stride, Size2d Dilation, Padding Padding) ReadWindow(KerasJson config, int axes)
    {
        config.Ignore("rank");
        return (Extents(config, "kernel_size", axes, null), Extents(config, "strides", axes, 1), Extents(config, "dilation_rate", axes, 1), ReadPadding(config));
    }

    private static Padding ReadPadding(KerasJson config)
    {
        string padding = config.Text("padding", "valid");
        return padding switch
        {
            "valid" => Padding.Valid,
            "same" => Padding.Same,
            _ => throw config.KeyError("padding", $"{ModelFormatException.Quote(padding)} is not supported", "valid, same"),
        };
    }

    /// <summary>A whole number for all axes, or a list with one for each; of one axis both numbers are the same.</summary>
    private static Size2d Extents(KerasJson config, string key, int axes, int? fallback)
    {
        if (config.Find(key) is not { ValueKind: JsonValueKind.Array } list)
        {
            return config.Whole(key, 1, fallback);
        }
        int[] numbers = config.Extents(key, hasBatch: false)!;
        return numbers.Length == axes ? new Size2d(numbers[0], numbers[^1])
            : throw config.KeyError(key, $"a list of {list.GetArrayLength()} is given", axes == 1 ? "a whole number" : "a whole number, or a list of two");
    }
}
