namespace Fathom.Compute;

/// <summary>What a floating-point format can hold.</summary>
/// <param name="Name">As written in the literature.</param>
/// <param name="Max">The largest finite magnitude.</param>
/// <param name="MinNormal">The smallest normal magnitude: below it precision is lost.</param>
/// <param name="MinSubnormal">The smallest nonzero magnitude.</param>
public sealed record NumberFormat(string Name, double Max, double MinNormal, double MinSubnormal)
{
    /// <summary>IEEE 754 binary32.</summary>
    public static NumberFormat Fp32 { get; } = new("fp32", float.MaxValue, Math.ScaleB(1, -126), Math.ScaleB(1, -149));

    /// <summary>bfloat16: the upper half of binary32.</summary>
    public static NumberFormat Bf16 { get; } = new("bf16", Math.ScaleB(255, 120), Math.ScaleB(1, -126), Math.ScaleB(1, -133));

    /// <summary>IEEE 754 binary16.</summary>
    public static NumberFormat Fp16 { get; } = new("fp16", 65504, Math.ScaleB(1, -14), Math.ScaleB(1, -24));

    /// <summary>OCP 8-bit E4M3 (P. Micikevicius et al., FP8 formats for deep learning, 2022).</summary>
    public static NumberFormat Fp8E4M3 { get; } = new("fp8 e4m3", 448, Math.ScaleB(1, -6), Math.ScaleB(1, -9));

    /// <summary>OCP 8-bit E5M2 (same source).</summary>
    public static NumberFormat Fp8E5M2 { get; } = new("fp8 e5m2", 57344, Math.ScaleB(1, -14), Math.ScaleB(1, -16));

    /// <summary>All of the above.</summary>
    public static IReadOnlyList<NumberFormat> All { get; } = [Fp32, Bf16, Fp16, Fp8E4M3, Fp8E5M2];

    public override string ToString() => Name;
}
