using System.Runtime.InteropServices;

namespace Fathom.Runs;

/// <summary>
/// The statistics of one tensor in one step: 64 bytes, little-endian, written to the file exactly as it lies in memory.
/// </summary>
/// <remarks>
/// Moments and norms are float64, so that a float32 tensor of denormals (1e-42) and the norm of one that is about to
/// overflow both keep their value. Counts are exact and refer to <see cref="Count"/> elements of this step's tensor,
/// because the last batch of an epoch may be smaller. A row whose <see cref="Count"/> is 0 was not measured.
/// </remarks>
[StructLayout(LayoutKind.Explicit, Size = SizeInBytes)]
public struct TensorRow
{
    public const int SizeInBytes = 64;

    [FieldOffset(0)]
    public double Mean;

    /// <summary>Standard deviation of the elements.</summary>
    [FieldOffset(8)]
    public double Std;

    /// <summary>Euclidean norm, √Σx².</summary>
    [FieldOffset(16)]
    public double L2;

    [FieldOffset(24)]
    public double MaxAbs;

    /// <summary>Elements measured in this step; 0 says that the tensor was not measured.</summary>
    [FieldOffset(32)]
    public uint Count;

    [FieldOffset(36)]
    public uint Zeros;

    /// <summary>Elements in the flat part of the operation, as the operation defines it.</summary>
    [FieldOffset(40)]
    public uint Saturated;

    [FieldOffset(44)]
    public uint NaNs;

    [FieldOffset(48)]
    public uint PositiveInfinities;

    [FieldOffset(52)]
    public uint NegativeInfinities;

    /// <summary>Non-zero elements below the smallest normal number of their type.</summary>
    [FieldOffset(56)]
    public uint Denormals;

    /// <summary>Zeros of a tensor whose other elements reach down to the smallest normal numbers: what was below became zero.</summary>
    [FieldOffset(60)]
    public uint Flushed;

    /// <summary><see cref="Zeros"/> as a share of <see cref="Count"/>; NaN when not measured.</summary>
    public readonly double ZeroShare => Share(Zeros);

    /// <summary><see cref="Saturated"/> as a share of <see cref="Count"/>; NaN when not measured.</summary>
    public readonly double SaturatedShare => Share(Saturated);

    /// <summary><see cref="Denormals"/> as a share of <see cref="Count"/>; NaN when not measured.</summary>
    public readonly double DenormalShare => Share(Denormals);

    /// <summary>NaN and ±∞ together, as a share of <see cref="Count"/>; NaN when not measured.</summary>
    public readonly double NonFiniteShare =>
        Count == 0 ? double.NaN : ((double)NaNs + PositiveInfinities + NegativeInfinities) / Count;

    /// <summary>Root mean square, <see cref="L2"/> / √<see cref="Count"/>; NaN when not measured.</summary>
    public readonly double Rms => Count == 0 ? double.NaN : L2 / Math.Sqrt(Count);

    private readonly double Share(uint part) => Count == 0 ? double.NaN : (double)part / Count;
}
