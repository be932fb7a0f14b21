using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>
/// Some rows of a group's channels, copied with their padding, and with each phase of the stride as a plane of its own:
/// the copy is [channel][row phase][column phase][row][column], where the element at row r, column c of phase (p, q) is
/// the input's at (r·step + p − top, c·step + q − left). In this layout a tap of the kernel, whatever the stride and
/// dilation, is a fixed distance: all outputs of a plane read it at consecutive addresses. So a convolution needs no
/// copy of each input for each tap (im2col).
/// </summary>
internal readonly struct PackedPlanes
{
    /// <summary>Elements that a tile may read beyond the last plane.</summary>
    public const int Slack = 64;

    public required ImageLayout Source { get; init; }

    /// <summary>Channels of one group.</summary>
    public required int Channels { get; init; }

    public required int StepHeight { get; init; }

    public required int StepWidth { get; init; }

    /// <summary>Phases that some tap reads: the first ones.</summary>
    public required int RowPhases { get; init; }

    public required int ColumnPhases { get; init; }

    public required int Top { get; init; }

    public required int Left { get; init; }

    /// <summary>Rows and columns of a plane.</summary>
    public required int Rows { get; init; }

    public required int Columns { get; init; }

    public int Plane => Rows * Columns;

    public int ChannelStride => RowPhases * ColumnPhases * Plane;

    public int Elements => checked(Channels * ChannelStride + Slack);

    /// <summary>Distance of a tap from the output that reads it.</summary>
    public int Offset(int channel, int rowTap, int columnTap) =>
        channel * ChannelStride + ((rowTap % StepHeight * ColumnPhases) + columnTap % StepWidth) * Plane
        + rowTap / StepHeight * Columns + columnTap / StepWidth;

    /// <summary>Copies the planes whose first row is <paramref name="firstRow"/>.</summary>
    /// <param name="source">The group's first channel of a sample.</param>
    /// <param name="firstRow">Row of the phases, counted from the first padded one.</param>
    /// <param name="destination"><see cref="Elements"/> elements.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public unsafe void Pack<T>(T* source, int firstRow, T* destination) where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int channel = 0; channel < Channels; channel++)
        {
            for (int rowPhase = 0; rowPhase < RowPhases; rowPhase++)
            {
                for (int columnPhase = 0; columnPhase < ColumnPhases; columnPhase++)
                {
                    PackPlane(source + channel * Source.Channel, firstRow, rowPhase, columnPhase, destination);
                    destination += Plane;
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private unsafe void PackPlane<T>(T* source, int firstRow, int rowPhase, int columnPhase, T* destination) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int shift = columnPhase - Left;
        int first = Math.Clamp(CeilingDivide(-shift, StepWidth), 0, Columns);
        int end = Math.Clamp(CeilingDivide(Source.Width - shift, StepWidth), first, Columns);
        nint step = StepWidth * Source.Pixel;
        for (int row = 0; row < Rows; row++, destination += Columns)
        {
            long at = (long)(row + firstRow) * StepHeight + rowPhase - Top;
            if (at < 0 || at >= Source.Height)
            {
                new Span<T>(destination, Columns).Clear();
                continue;
            }
            T* from = source + (nint)at * Source.Row + (first * StepWidth + shift) * Source.Pixel;
            // The margins are a few elements: a loop is over before a call has begun.
            for (int column = 0; column < first; column++)
            {
                destination[column] = T.Zero;
            }
            if (step == 1)
            {
                new ReadOnlySpan<T>(from, end - first).CopyTo(new Span<T>(destination + first, end - first));
            }
            else
            {
                CopyEvery(from, step, destination + first, end - first);
            }
            for (int column = end; column < Columns; column++)
            {
                destination[column] = T.Zero;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void CopyEvery<T>(T* source, nint step, T* destination, int count) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int i = 0;
        if (step == 2 && typeof(T) == typeof(float) && Avx2.IsSupported)
        {
            // Reads 16 for 8; so not to the last, behind which there may be nothing.
            for (; i < count - 8; i += 8)
            {
                Vector256<float> low = Vector256.Load((float*)source + 2 * i);
                Vector256<float> high = Vector256.Load((float*)source + 2 * i + 8);
                Vector256<double> even = Avx.Shuffle(low, high, 0b10_00_10_00).AsDouble(); // 0 2 8 10 | 4 6 12 14
                Avx2.Permute4x64(even, 0b11_01_10_00).AsSingle().Store((float*)destination + i);
            }
        }
        for (; i < count; i++)
        {
            destination[i] = source[i * step];
        }
    }

    /// <summary>⌈a / b⌉ for b &gt; 0.</summary>
    public static int CeilingDivide(int a, int b) => a >= 0 ? (a + b - 1) / b : -(-a / b);
}
