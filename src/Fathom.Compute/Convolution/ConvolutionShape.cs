namespace Fathom.Compute;

/// <summary>
/// The sizes of a two-dimensional convolution y[n, o, i, j] = b[o] + Σ w[o, c, k, l] · x[n, c, i·stride + k·dilation − pad, …]
/// over a group's channels c and the kernel k, l. Images are (N, C, H, W), or (N, H, W, C) with
/// <see cref="ChannelsLast"/>; the weight is (out, in / groups, kernel height, kernel width). What lies outside the
/// input counts as 0. One dimension is a height of 1.
/// </summary>
public readonly record struct ConvolutionShape
{
    public required int Samples { get; init; }

    public required int InChannels { get; init; }

    public required int InHeight { get; init; }

    public required int InWidth { get; init; }

    public required int OutChannels { get; init; }

    public required int OutHeight { get; init; }

    public required int OutWidth { get; init; }

    public required int KernelHeight { get; init; }

    public required int KernelWidth { get; init; }

    public required int StrideHeight { get; init; }

    public required int StrideWidth { get; init; }

    public required int DilationHeight { get; init; }

    public required int DilationWidth { get; init; }

    /// <summary>Rows of zeros above the input; those below follow from the output's height.</summary>
    public required int PadTop { get; init; }

    /// <summary>Columns of zeros on the left.</summary>
    public required int PadLeft { get; init; }

    public required int Groups { get; init; }

    public bool ChannelsLast { get; init; }

    /// <summary>Input channels of one group.</summary>
    public int GroupIn => InChannels / Groups;

    /// <summary>Output channels of one group.</summary>
    public int GroupOut => OutChannels / Groups;

    public int KernelElements => KernelHeight * KernelWidth;

    public int InputElements => checked(Samples * InChannels * InHeight * InWidth);

    public int OutputElements => checked(Samples * OutChannels * OutHeight * OutWidth);

    public int WeightElements => checked(OutChannels * GroupIn * KernelElements);
}
