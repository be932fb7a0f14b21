using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>
/// A convolution done pixel by pixel on images whose channels are innermost: a vector holds channels of the target, a tap
/// reads the channels of one pixel of the source, and an output is the sum over its taps. Strides and phases are then
/// distances between pixels and cost nothing, where vectors of pixels would have to be gathered and scattered. Work is cut by
/// the shape alone, into some rows of one sample.
/// </summary>
internal readonly struct PixelPlan
{
    /// <summary>Lanes of the widest vectors.</summary>
    private const int WidestLanes = 16;

    /// <summary>Bytes of packed pixels that are worked on at a time, so that they stay in the second-level cache.</summary>
    private const long BlockBytes = 256 * 1024;

    /// <summary>Parts to have at least, for a batch of few samples.</summary>
    private const int LeastParts = 16;

    private PixelPlan(in ConvolutionShape shape, bool transposed, int elementSize)
    {
        (Shape, Transposed) = (shape, transposed);
        ImageLayout input = new(shape.InChannels, shape.InHeight, shape.InWidth, shape.ChannelsLast);
        ImageLayout output = new(shape.OutChannels, shape.OutHeight, shape.OutWidth, shape.ChannelsLast);
        (Source, Target) = transposed ? (output, input) : (input, output);
        Vertical = transposed
            ? AxisTaps.Transposed(shape.KernelHeight, shape.StrideHeight, shape.DilationHeight, shape.PadTop, shape.InHeight)
            : AxisTaps.Forward(shape.KernelHeight, shape.DilationHeight, shape.OutHeight);
        Horizontal = transposed
            ? AxisTaps.Transposed(shape.KernelWidth, shape.StrideWidth, shape.DilationWidth, shape.PadLeft, shape.InWidth)
            : AxisTaps.Forward(shape.KernelWidth, shape.DilationWidth, shape.OutWidth);
        (StepHeight, StepWidth) = transposed ? (1, 1) : (shape.StrideHeight, shape.StrideWidth);
        (Top, Left) = transposed ? (-Vertical.Least, -Horizontal.Least) : (shape.PadTop, shape.PadLeft);
        Columns = (Horizontal.Outputs(0) - 1) * StepWidth + Horizontal.Most - Horizontal.Least + 1;
        int lanes = Lanes(elementSize);
        Pitch = (Target.Channels + lanes - 1) / lanes * lanes;
        int rows = Vertical.Outputs(0);
        long rowBytes = Math.Max(1, ((long)StepHeight * Columns * Source.Channels + (long)Vertical.Step * Target.Width * Pitch) * elementSize);
        int blocks = (int)Math.Clamp((rows * rowBytes + BlockBytes - 1) / BlockBytes, Math.Min(rows, LeastParts / Math.Max(1, shape.Samples)), rows);
        BlockRows = Math.Max(1, PackedPlanes.CeilingDivide(rows, Math.Max(1, blocks)));
        Blocks = PackedPlanes.CeilingDivide(rows, BlockRows);
    }

    public ConvolutionShape Shape { get; }

    /// <summary>Whether this is the gradient by the input.</summary>
    public bool Transposed { get; }

    public ImageLayout Source { get; }

    public ImageLayout Target { get; }

    public AxisTaps Vertical { get; }

    public AxisTaps Horizontal { get; }

    /// <summary>Pixels of the source from one output of a phase to the next.</summary>
    public int StepHeight { get; }

    public int StepWidth { get; }

    /// <summary>Zeros above the source and to its left.</summary>
    public int Top { get; }

    public int Left { get; }

    /// <summary>Pixels of a packed row.</summary>
    public int Columns { get; }

    /// <summary>Target channels, rounded up to whole vectors.</summary>
    public int Pitch { get; }

    /// <summary>Rows of each phase of the target that are computed at a time.</summary>
    public int BlockRows { get; }

    public int Blocks { get; }

    /// <summary>Packed rows that so many rows of the target read.</summary>
    public int Rows(int outputs) => (outputs - 1) * StepHeight + Vertical.Most - Vertical.Least + 1;

    public int SourceElements => checked(Rows(BlockRows) * Columns * Source.Channels);

    public int TargetElements => checked(BlockRows * Vertical.Step * Target.Width * Pitch);

    /// <summary>
    /// Whether this way is the faster one: the channels of both sides fill vectors, and pixels are apart, in what is read or in
    /// what is written.
    /// </summary>
    public static bool Suits(in ConvolutionShape shape) =>
        shape.Groups == 1 && Math.Max(shape.StrideHeight, shape.StrideWidth) > 1 && FillsVectors(shape.InChannels) && FillsVectors(shape.OutChannels);

    public static PixelPlan Forward(in ConvolutionShape shape, int elementSize) => new(shape, false, elementSize);

    public static PixelPlan InputGradient(in ConvolutionShape shape, int elementSize) => new(shape, true, elementSize);

    /// <summary>Elements of scratch for any vectors: the weights, and an offset for each tap.</summary>
    public static int ScratchElements(in ConvolutionShape shape)
    {
        int forward = shape.InChannels * RoundUp(shape.OutChannels), backward = shape.OutChannels * RoundUp(shape.InChannels);
        return checked(shape.KernelElements * (Math.Max(forward, backward) + 1));
    }

    /// <summary>Writes, phase by phase, how far each tap lies behind the first pixel that an output may read, in elements.</summary>
    public unsafe void FillOffsets(int* offsets)
    {
        for (int p = 0; p < Vertical.Phases; p++)
        {
            for (int q = 0; q < Horizontal.Phases; q++)
            {
                for (int tap = 0; tap < Shape.KernelElements; tap++)
                {
                    (int k, int l) = (tap / Shape.KernelWidth, tap % Shape.KernelWidth);
                    if (Vertical.Reads(p, k) && Horizontal.Reads(q, l))
                    {
                        *offsets++ = (Vertical.Position(p, k) * Columns + Horizontal.Position(q, l)) * Source.Channels;
                    }
                }
            }
        }
    }

    /// <summary>Copies rows of an image with the channels innermost, and zeros around it. Rows that nothing reads are left as they are.</summary>
    /// <param name="image">First channel of a sample.</param>
    /// <param name="firstRow">The first packed row, counted from the first padded one.</param>
    /// <param name="rows">Their number.</param>
    /// <param name="packed">Where they go.</param>
    public unsafe void Pack<T>(T* image, int firstRow, int rows, T* packed) where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>
    {
        int channels = Source.Channels;
        int width = Math.Clamp(Columns - Left, 0, Source.Width);
        int right = Columns - Left - width;
        for (int row = firstRow; row < firstRow + rows; row++, packed += Columns * channels)
        {
            if (!IsRead(row))
            {
                continue;
            }
            int at = row - Top;
            if (at < 0 || at >= Source.Height)
            {
                new Span<T>(packed, Columns * channels).Clear();
                continue;
            }
            T* from = image + at * Source.Row;
            new Span<T>(packed, Left * channels).Clear();
            if (Source.Channel == 1)
            {
                new ReadOnlySpan<T>(from, width * channels).CopyTo(new Span<T>(packed + Left * channels, width * channels));
            }
            else
            {
                Packing.Transpose(width, channels, from, Source.Channel, packed + Left * channels, channels);
            }
            new Span<T>(packed + (Left + width) * channels, right * channels).Clear();
        }
    }

    /// <summary>Whether some tap of some output reads a packed row.</summary>
    private bool IsRead(int row)
    {
        for (int k = 0; k < Shape.KernelHeight && StepHeight > 1; k++)
        {
            if ((row - k * Shape.DilationHeight) % StepHeight == 0)
            {
                return true;
            }
        }
        return StepHeight == 1;
    }

    private static int Lanes(int elementSize) =>
        Vector512.IsHardwareAccelerated ? 64 / elementSize : Vector256.IsHardwareAccelerated ? 32 / elementSize : Vector128.IsHardwareAccelerated ? 16 / elementSize : 1;

    /// <summary>Lanes that stay empty are multiplied all the same.</summary>
    private static bool FillsVectors(int channels) => 3 * RoundUp(channels) <= 4 * channels;

    private static int RoundUp(int channels) => checked((channels + WidestLanes - 1) / WidestLanes * WidestLanes);
}
