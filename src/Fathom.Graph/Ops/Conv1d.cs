using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// One-dimensional convolution of sequences (N, channels, length), or (N, length, channels) with <paramref
/// name="ChannelsLast"/>. y[n, f, t] = b[f] + Σ w[f, c, u]·x[n, c, t·stride + u·dilation − padding] over the group's
/// channels c and the kernel's elements u. Waibel et al. (1989). Inputs: x, weight (filters, channels / groups,
/// kernel), bias (filters) if there is one. Output: (N, filters, length'), or with the filters last.
/// </summary>
/// <param name="Filters">Output channels; a multiple of the groups.</param>
/// <param name="Kernel">Length of the kernel.</param>
/// <param name="Stride">Steps from one output to the next.</param>
/// <param name="Padding">valid, same, or zeros on each side.</param>
/// <param name="Dilation">Steps from one element of the kernel to the next.</param>
/// <param name="Groups">Parts into which the channels are cut; each filter sees one.</param>
/// <param name="Bias">Whether a bias is added.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
/// <param name="WeightStandardization">Whether each filter's weights are read with mean 0 and one size.</param>
public sealed record Conv1d(int Filters, int Kernel, int Stride = 1, Padding Padding = default, int Dilation = 1, int Groups = 1,
    bool Bias = true, bool ChannelsLast = false, WeightStandardization WeightStandardization = WeightStandardization.None) : ConvolutionOp
{
    public override string Kind => "conv1d";

    public override bool Bias { get; init; } = Bias;

    public override bool ChannelsLast { get; init; } = ChannelsLast;

    public override WeightStandardization WeightStandardization { get; init; } = WeightStandardization;

    protected override int Dimensions => 1;

    protected override (Size2d Kernel, Size2d Stride, Size2d Dilation, Padding Padding) Window => (Kernel, Stride, Dilation, Padding);

    protected override (int Filters, int Groups) Sizes(int channels) => (Filters, Groups);

    protected override void RequireSizes(ShapeScope scope, int channels) => ConvolutionSizes.Require(scope, Filters, Groups, channels);
}

/// <summary>The verb of <see cref="Conv1d"/>.</summary>
public static class Conv1dLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="filters">Output channels.</param>
    /// <param name="kernel">Length of the kernel.</param>
    /// <param name="stride">Stride.</param>
    /// <param name="padding">Padding: <see cref="Padding.Valid"/>, <see cref="Padding.Same"/>, or a number.</param>
    /// <param name="dilation">Dilation.</param>
    /// <param name="groups">Groups.</param>
    /// <param name="weight">Weight initializer; null for Xavier uniform, as in Keras.</param>
    /// <param name="bias">Bias initializer; null for zeros.</param>
    /// <param name="useBias">False for no bias.</param>
    /// <param name="channelsLast">Whether the channels are the last axis.</param>
    /// <param name="name">Node name.</param>
    /// <param name="weightStandardization">Whether each filter's weights are read with mean 0 and one size.</param>
    public static NetworkCursor Conv1d(this NetworkCursor network, int filters, int kernel, int stride = 1, Padding padding = default, int dilation = 1,
        int groups = 1, Initializer? weight = null, Initializer? bias = null, bool useBias = true, bool channelsLast = false, string? name = null,
        WeightStandardization weightStandardization = WeightStandardization.None) =>
        network.Then(new Conv1d(filters, kernel, stride, padding, dilation, groups, useBias, channelsLast, weightStandardization), name, ConvolutionSizes.Initializers(weight, bias));
}
