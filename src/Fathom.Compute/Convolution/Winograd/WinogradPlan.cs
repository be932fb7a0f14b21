using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>
/// A 3×3 convolution with stride 1, done on tiles of 4×4 outputs: x and w, or for the gradient by the input dy and the
/// rotated w, are transformed, multiplied channel by channel in 36 matrix products, and transformed back. Work is cut
/// into blocks by the shape alone: some strips of an image, or several images.
/// </summary>
internal readonly struct WinogradPlan
{
    /// <summary>Below this the transforms cost more than the products save.</summary>
    private const int LeastTiles = 16;

    /// <summary>Lanes of the widest vectors.</summary>
    private const int WidestLanes = 16;

    /// <summary>Transformed weights, in elements, that the caches hold; with more, each tile has to pay for reading them.</summary>
    private const int CachedWeights = 1 << 18;

    /// <summary>And the most that memory is spent for; of sums of the gradient by the weights each worker has as many.</summary>
    private const int MostWeights = 1 << 22, MostSums = 1 << 20;

    /// <summary>Tiles of a block at least, if there are as many: each block reads all the weights.</summary>
    private const int LeastTilesAtOnce = 32;

    /// <summary>Bytes of transformed tiles that are worked on at a time, so that they stay in the second-level cache.</summary>
    private const long BlockBytes = 448 * 1024;

    /// <summary>The same for the gradient by the weights: each time, all its sums are added to, and they are many.</summary>
    private const long GradientBytes = 800 * 1024;

    /// <summary>Blocks to have at least, if there is work for them.</summary>
    private const int LeastBlocks = 16;

    private WinogradPlan(in ConvolutionShape shape, bool transposed, int elementSize)
    {
        (Shape, Transposed, ElementSize) = (shape, transposed, elementSize);
        ImageLayout input = new(shape.InChannels, shape.InHeight, shape.InWidth, shape.ChannelsLast);
        ImageLayout output = new(shape.OutChannels, shape.OutHeight, shape.OutWidth, shape.ChannelsLast);
        (ImageLayout source, Target) = transposed ? (output, input) : (input, output);
        // dx is the convolution of dy, padded so that each input finds all its outputs, with the rotated kernel.
        (int top, int left) = transposed ? (2 - shape.PadTop, 2 - shape.PadLeft) : (shape.PadTop, shape.PadLeft);
        Across = PackedPlanes.CeilingDivide(Target.Width, WinogradTransform.Tile);
        Strips = PackedPlanes.CeilingDivide(Target.Height, WinogradTransform.Tile);
        Pitch = RoundUp(Target.Channels, Lanes(elementSize));
        Patches = Cut(source, RoundUp(source.Channels, Lanes(elementSize)), top, left, WinogradTransform.Reach);
        long stripBytes = (long)WinogradTransform.Positions * Across * (Patches.Pitch + Pitch) * elementSize;
        long blockBytes = Math.Max(BlockBytes, stripBytes * LeastTilesAtOnce / Math.Max(1, Across));
        StripsAtOnce = (int)Math.Clamp(blockBytes / stripBytes, 1, Strips);
        if (StripsAtOnce < Strips)
        {
            StripsAtOnce = PackedPlanes.CeilingDivide(Strips, PackedPlanes.CeilingDivide(Strips, StripsAtOnce));
            Blocks = checked(shape.Samples * PackedPlanes.CeilingDivide(Strips, StripsAtOnce));
            (MostImages, ImagesAtOnce) = (1, 1);
            return;
        }
        long most = Math.Max(1, blockBytes / (stripBytes * Strips));
        int blocks = Math.Max((int)((shape.Samples + most - 1) / most), LeastBlocks);
        Blocks = Math.Min(shape.Samples, RoundUp(blocks, 4));
        ImagesAtOnce = (int)Math.Clamp(GradientBytes / (stripBytes * Strips), 1, Math.Max(1, shape.Samples));
        MostImages = Blocks == 0 ? 0 : PackedPlanes.CeilingDivide(shape.Samples, Blocks);
    }

    public ConvolutionShape Shape { get; }

    /// <summary>Whether this is the gradient by the input.</summary>
    public bool Transposed { get; }

    public int ElementSize { get; }

    public ImageLayout Target { get; }

    /// <summary>Says how the source is packed and transformed.</summary>
    public WinogradPatches Patches { get; }

    /// <summary>Target channels, rounded up to whole vectors.</summary>
    public int Pitch { get; }

    /// <summary>Tiles in a strip, and strips in an image.</summary>
    public int Across { get; }

    public int Strips { get; }

    /// <summary>Strips of an image in a block.</summary>
    public int StripsAtOnce { get; }

    /// <summary>Images of the largest block.</summary>
    public int MostImages { get; }

    /// <summary>Images that are worked on at a time where the number of blocks does not matter.</summary>
    public int ImagesAtOnce { get; }

    public int Blocks { get; }

    /// <summary>Tiles of the largest block.</summary>
    public int MostTiles => MostImages * StripsAtOnce * Across;

    /// <summary>Whether this way is the faster one.</summary>
    public static bool Suits(in ConvolutionShape shape)
    {
        bool form = shape is { KernelHeight: 3, KernelWidth: 3, StrideHeight: 1, StrideWidth: 1, DilationHeight: 1, DilationWidth: 1, Groups: 1 }
            && shape is { PadTop: >= 0 and <= 2, PadLeft: >= 0 and <= 2 };
        long tiles = (long)shape.Samples * PackedPlanes.CeilingDivide(shape.OutHeight, WinogradTransform.Tile) * PackedPlanes.CeilingDivide(shape.OutWidth, WinogradTransform.Tile);
        bool filled = tiles * WinogradTransform.Tile * WinogradTransform.Tile <= 2L * shape.Samples * shape.OutHeight * shape.OutWidth;
        long weights = (long)WinogradTransform.Positions * shape.InChannels * shape.OutChannels;
        bool worthwhile = tiles >= (weights > CachedWeights ? 2 * LeastTiles : LeastTiles) && FillsVectors(shape.InChannels) && FillsVectors(shape.OutChannels);
        return form && filled && worthwhile && weights <= MostWeights;
    }

    /// <summary>The same for the gradient by the weights.</summary>
    public static bool SuitsWeightGradient(in ConvolutionShape shape) =>
        Suits(shape) && (long)WinogradTransform.Positions * shape.InChannels * shape.OutChannels <= MostSums;

    public static WinogradPlan Forward(in ConvolutionShape shape, int elementSize) => new(shape, false, elementSize);

    public static WinogradPlan InputGradient(in ConvolutionShape shape, int elementSize) => new(shape, true, elementSize);

    /// <summary>Elements of the transformed weights for any vectors.</summary>
    public static int WeightElements(in ConvolutionShape shape)
    {
        int forward = shape.InChannels * RoundUp(shape.OutChannels, WidestLanes), backward = shape.OutChannels * RoundUp(shape.InChannels, WidestLanes);
        return checked(WinogradTransform.Positions * (Math.Max(forward, backward) + 2 * WidestLanes));
    }

    /// <summary>Patches of another image under the same tiles.</summary>
    public WinogradPatches Cut(ImageLayout image, int pitch, int top, int left, int size) =>
        new() { Image = image, Pitch = pitch, Top = top, Left = left, Size = size, Across = Across };

    /// <summary>From one position to the next: an odd number of cache lines, so that the positions of a tile do not share a set.</summary>
    public nint Position(int rows, int pitch)
    {
        int line = 64 / ElementSize;
        return checked((PackedPlanes.CeilingDivide(rows * pitch, line) | 1) * line);
    }

    /// <summary>Images and strips of a block.</summary>
    public (int FirstImage, int EndImage, int FirstStrip, int Strips) Block(int block)
    {
        if (StripsAtOnce == Strips)
        {
            return ((int)((long)block * Shape.Samples / Blocks), (int)((long)(block + 1) * Shape.Samples / Blocks), 0, Strips);
        }
        int perImage = PackedPlanes.CeilingDivide(Strips, StripsAtOnce);
        int image = block / perImage;
        int first = block % perImage * StripsAtOnce;
        return (image, image + 1, first, Math.Min(StripsAtOnce, Strips - first));
    }

    /// <summary>Lanes of the widest vectors there are.</summary>
    public static int Lanes(int elementSize) =>
        Vector512.IsHardwareAccelerated ? 64 / elementSize : Vector256.IsHardwareAccelerated ? 32 / elementSize : Vector128.IsHardwareAccelerated ? 16 / elementSize : 1;

    /// <summary>Channels are the lanes; those that stay empty are transformed and multiplied all the same.</summary>
    private static bool FillsVectors(int channels) => 3 * RoundUp(channels, WidestLanes) <= 4 * channels;

    private static int RoundUp(int value, int multiple) => checked((value + multiple - 1) / multiple * multiple);
}
