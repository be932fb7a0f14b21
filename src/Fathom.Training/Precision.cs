namespace Fathom.Training;

/// <summary>
/// The number format that a network is meant for. Fathom computes in float32; the format says what its diagnosis holds the
/// range of numbers against.
/// </summary>
public enum Precision
{
    Fp32,
    Bf16,
    Fp16,
    Fp8E5m2,
    Fp8E4m3,
}
