using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Two-dimensional convolution of images (N, channels, height, width), or (N, height, width, channels) with <paramref
/// name="ChannelsLast"/>. y[n, f, i, j] = b[f] + Σ w[f, c, u, v]·x[n, c, i·stride + u·dilation − padding, j·stride +
/// v·dilation − padding] over the group's channels c and the kernel's elements u, v. LeCun et al. (1989). Inputs: x,
/// weight (filters, channels / groups, kernel height, kernel width), bias (filters) if there is one. Output: (N,
/// filters, height', width'), or with the filters last.
/// </summary>
/// <param name="Filters">Output channels; a multiple of the groups.</param>
/// <param name="Kernel">Height and width of the kernel.</param>
/// <param name="Stride">Rows and columns from one output to the next.</param>
/// <param name="Padding">valid, same, or zeros on each side.</param>
/// <param name="Dilation">Rows and columns from one element of the kernel to the next.</param>
/// <param name="Groups">Parts into which the channels are cut; each filter sees one.</param>
/// <param name="Bias">Whether a bias is added.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
/// <param name="WeightStandardization">Whether each filter's weights are read with mean 0 and one size.</param>
public sealed record Conv2d(int Filters, Size2d Kernel, Size2d Stride = default, Padding Padding = default, Size2d Dilation = default, int Groups = 1,
    bool Bias = true, bool ChannelsLast = false, WeightStandardization WeightStandardization = WeightStandardization.None) : ConvolutionOp
{
    public override string Kind => "conv2d";

    public override bool Bias { get; init; } = Bias;

    public override bool ChannelsLast { get; init; } = ChannelsLast;

    public override WeightStandardization WeightStandardization { get; init; } = WeightStandardization;

    protected override int Dimensions => 2;

    protected override (Size2d Kernel, Size2d Stride, Size2d Dilation, Padding Padding) Window => (Kernel, Stride, Dilation, Padding);

    protected override (int Filters, int Groups) Sizes(int channels) => (Filters, Groups);

    protected override void RequireSizes(ShapeScope scope, int channels) => ConvolutionSizes.Require(scope, Filters, Groups, channels);
}

/// <summary>The verb of <see cref="Conv2d"/>.</summary>
public static class Conv2dLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="filters">Output channels.</param>
    /// <param name="kernel">Kernel: a number, or height and width.</param>
    /// <param name="stride">Stride.</param>
    /// <param name="padding">Padding: <see cref="Padding.Valid"/>, <see cref="Padding.Same"/>, a number, or two.</param>
    /// <param name="dilation">Dilation.</param>
    /// <param name="groups">Groups.</param>
    /// <param name="weight">Weight initializer; null for Xavier uniform, as in Keras.</param>
    /// <param name="bias">Bias initializer; null for zeros.</param>
    /// <param name="useBias">False for no bias.</param>
    /// <param name="channelsLast">Whether the channels are the last axis.</param>
    /// <param name="name">Node name.</param>
    /// <param name="weightStandardization">Whether each filter's weights are read with mean 0 and one size.</param>
    public static NetworkCursor Conv2d(this NetworkCursor network, int filters, Size2d kernel, Size2d stride = default, Padding padding = default,
        Size2d dilation = default, int groups = 1, Initializer? weight = null, Initializer? bias = null, bool useBias = true, bool channelsLast = false, string? name = null,
        WeightStandardization weightStandardization = WeightStandardization.None) =>
        network.Then(new Conv2d(filters, kernel, stride, padding, dilation, groups, useBias, channelsLast, weightStandardization), name, ConvolutionSizes.Initializers(weight, bias));
}

/// <summary>What the convolutions' files share.</summary>
internal static class ConvolutionSizes
{
    public static void Require(ShapeScope scope, int filters, int groups, int channels)
    {
        if (filters < 1)
        {
            throw scope.BadAttribute("filters", filters, "1 or more");
        }
        if (groups < 1 || channels % groups != 0 || filters % groups != 0)
        {
            throw scope.BadAttribute("groups", groups, FormattableString.Invariant($"a divisor of the {channels} input channels and of the {filters} filters"));
        }
    }

    public static Dictionary<string, Initializer> Initializers(Initializer? weight, Initializer? bias)
    {
        Dictionary<string, Initializer> initializers = [];
        if (weight is not null)
        {
            initializers["weight"] = weight;
        }
        if (bias is not null)
        {
            initializers["bias"] = bias;
        }
        return initializers;
    }
}
