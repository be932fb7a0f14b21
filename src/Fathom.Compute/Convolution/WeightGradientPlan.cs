namespace Fathom.Compute;

/// <summary>
/// How the gradient of a convolution's weight is cut. It is Σ x[c, pixel + tap] · dy[o, pixel] over samples and pixels:
/// for each tap a product of (channels in × pixels) by (pixels × channels out), where the first factor is the packed
/// input seen from the tap, and the second dy with its channels last. The samples are cut into chunks, whose sums are
/// kept apart and added up in order.
/// </summary>
internal readonly struct WeightGradientPlan
{
    private const int MostChunks = 8;

    /// <summary>Elements that the chunks' sums may have together.</summary>
    private const long MostElements = 1 << 24;

    /// <summary>Elements from one row of channels to the next are a multiple of the widest vector.</summary>
    private const int Lanes = 16;

    public WeightGradientPlan(in ConvolutionShape shape, int elementSize)
    {
        Shape = shape;
        Pass = ConvolutionPass.Forward(shape, elementSize);
        Pitch = (shape.GroupOut + Lanes - 1) / Lanes * Lanes;
        ChunkElements = checked(shape.Groups * shape.KernelElements * shape.GroupIn * Pitch);
        Chunks = (int)Math.Clamp(Math.Min(shape.Samples, MostElements / Math.Max(1, ChunkElements)), 1, MostChunks);
    }

    public ConvolutionShape Shape { get; }

    /// <summary>Says how the input is packed.</summary>
    public ConvolutionPass Pass { get; }

    public int Pitch { get; }

    public int Chunks { get; }

    /// <summary>Elements of one chunk's sums: [group][tap][channel in][pitch].</summary>
    public int ChunkElements { get; }

    /// <summary>Elements of dy as it is packed: [row][column of the planes][pitch].</summary>
    public int UpstreamElements => checked(Pass.BlockRows * Pass.Planes.Columns * Pitch);
}
