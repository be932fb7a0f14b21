using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// Philox4x32-10, a counter-based generator: four random words are a function of a 128-bit counter and a 64-bit key,
/// with no state. J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3
/// (SC 2011), section 3.3.
/// </summary>
public static class Philox4x32
{
    internal const uint Multiplier0 = 0xD2511F53;
    internal const uint Multiplier1 = 0xCD9E8D57;
    internal const uint Weyl0 = 0x9E3779B9; // golden ratio
    internal const uint Weyl1 = 0xBB67AE85; // √3 − 1
    internal const int Rounds = 10;

    /// <summary>The block at a counter (c0 is its lowest word) under a key (k0 is its lowest word).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Block Generate(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1)
    {
        for (int round = 0; round < Rounds; round++)
        {
            ulong product0 = (ulong)Multiplier0 * c0;
            ulong product1 = (ulong)Multiplier1 * c2;
            c0 = (uint)(product1 >> 32) ^ c1 ^ k0;
            c1 = (uint)product1;
            c2 = (uint)(product0 >> 32) ^ c3 ^ k1;
            c3 = (uint)product0;
            k0 += Weyl0;
            k1 += Weyl1;
        }
        return new Block(c0, c1, c2, c3);
    }

    /// <summary>Block number <paramref name="index"/> of the stream that the key names.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Block Generate(RandomKey key, uint index) =>
        Generate(index, key.Stream, (uint)key.Step, (uint)(key.Step >> 32), (uint)key.Seed, (uint)(key.Seed >> 32));

    /// <summary>Four random words.</summary>
    public readonly record struct Block(uint X0, uint X1, uint X2, uint X3)
    {
        /// <summary>Uniform in [0, 1), a multiple of 2⁻⁵³.</summary>
        public double Uniform0 => ToUniform(X0, X1);

        /// <summary>Uniform in [0, 1), a multiple of 2⁻⁵³, independent of <see cref="Uniform0"/>.</summary>
        public double Uniform1 => ToUniform(X2, X3);

        /// <summary>Two independent standard normal numbers. G. E. P. Box and M. E. Muller (1958).</summary>
        public (double First, double Second) Gaussians()
        {
            double radius = Math.Sqrt(-2 * Math.Log(1 - Uniform0)); // 1 − u lies in (0, 1]
            (double sine, double cosine) = Math.SinCos(2 * Math.PI * Uniform1);
            return (radius * cosine, radius * sine);
        }

        private static double ToUniform(uint high, uint low) => ((((ulong)high << 32) | low) >> 11) * (1.0 / (1ul << 53));
    }
}
