using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Convolution of each channel by itself: a <see cref="Conv2d"/> with as many groups as channels. A separable
/// convolution is this, followed by a <see cref="Conv2d"/> with a kernel of 1. Sifre (2014); Chollet (2017),
/// Xception. Inputs: x, weight (channels · multiplier, 1, kernel height, kernel width), bias (channels · multiplier)
/// if there is one; filter c·multiplier + m sees channel c.
/// </summary>
/// <param name="Kernel">Height and width of the kernel.</param>
/// <param name="Multiplier">Filters for each channel.</param>
/// <param name="Stride">Rows and columns from one output to the next.</param>
/// <param name="Padding">valid, same, or zeros on each side.</param>
/// <param name="Dilation">Rows and columns from one element of the kernel to the next.</param>
/// <param name="Bias">Whether a bias is added.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
/// <param name="WeightStandardization">Whether each filter's weights are read with mean 0 and one size.</param>
public sealed record DepthwiseConv2d(Size2d Kernel, int Multiplier = 1, Size2d Stride = default, Padding Padding = default, Size2d Dilation = default,
    bool Bias = true, bool ChannelsLast = false, WeightStandardization WeightStandardization = WeightStandardization.None) : ConvolutionOp
{
    public override string Kind => "depthwise_conv2d";

    public override bool Bias { get; init; } = Bias;

    public override bool ChannelsLast { get; init; } = ChannelsLast;

    public override WeightStandardization WeightStandardization { get; init; } = WeightStandardization;

    protected override int Dimensions => 2;

    protected override (Size2d Kernel, Size2d Stride, Size2d Dilation, Padding Padding) Window => (Kernel, Stride, Dilation, Padding);

    protected override (int Filters, int Groups) Sizes(int channels) => (channels * Multiplier, channels);

    protected override void RequireSizes(ShapeScope scope, int channels)
    {
        if (Multiplier < 1)
        {
            throw scope.BadAttribute("multiplier", Multiplier, "1 or more");
        }
    }
}

/// <summary>The verbs of <see cref="DepthwiseConv2d"/>.</summary>
public static class DepthwiseConv2dLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="kernel">Kernel: a number, or height and width.</param>
    /// <param name="multiplier">Filters for each channel.</param>
    /// <param name="stride">Stride.</param>
    /// <param name="padding">Padding.</param>
    /// <param name="dilation">Dilation.</param>
    /// <param name="weight">Weight initializer; null for Xavier uniform.</param>
    /// <param name="bias">Bias initializer; null for zeros.</param>
    /// <param name="useBias">False for no bias.</param>
    /// <param name="channelsLast">Whether the channels are the last axis.</param>
    /// <param name="name">Node name.</param>
    /// <param name="weightStandardization">Whether each filter's weights are read with mean 0 and one size.</param>
    public static NetworkCursor DepthwiseConv2d(this NetworkCursor network, Size2d kernel, int multiplier = 1, Size2d stride = default, Padding padding = default,
        Size2d dilation = default, Initializer? weight = null, Initializer? bias = null, bool useBias = true, bool channelsLast = false, string? name = null,
        WeightStandardization weightStandardization = WeightStandardization.None) =>
        network.Then(new DepthwiseConv2d(kernel, multiplier, stride, padding, dilation, useBias, channelsLast, weightStandardization), name, ConvolutionSizes.Initializers(weight, bias));

    /// <summary>A separable convolution: each channel by itself, then a kernel of 1 across the channels (Chollet 2017).</summary>
    /// <param name="network">Where to go on.</param>
    /// <param name="filters">Output channels.</param>
    /// <param name="kernel">Kernel of the first layer.</param>
    /// <param name="multiplier">Filters for each channel in the first layer.</param>
    /// <param name="stride">Stride of the first layer.</param>
    /// <param name="padding">Padding of the first layer.</param>
    /// <param name="channelsLast">Whether the channels are the last axis.</param>
    /// <param name="name">Name of the second node; the first is name.depthwise.</param>
    public static NetworkCursor SeparableConv2d(this NetworkCursor network, int filters, Size2d kernel, int multiplier = 1, Size2d stride = default,
        Padding padding = default, bool channelsLast = false, string? name = null) =>
        network.DepthwiseConv2d(kernel, multiplier, stride, padding, useBias: false, channelsLast: channelsLast, name: name is null ? null : $"{name}.depthwise")
            .Conv2d(filters, 1, channelsLast: channelsLast, name: name);
}
