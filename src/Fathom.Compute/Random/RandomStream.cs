namespace Fathom.Compute;

/// <summary>Draws the numbers of one key one after another. A mutable struct: pass it by reference.</summary>
public struct RandomStream(RandomKey key)
{
    private ulong position;
    private Philox4x32.Block block;
    private double spareGaussian;
    private bool hasSpareGaussian;

    public uint NextUInt32()
    {
        int word = (int)(position & 3);
        if (word == 0)
        {
            if (position >> 2 > uint.MaxValue)
            {
                throw new InvalidOperationException("The stream is exhausted: a key gives 2^34 words. Draw from another stream or step.");
            }
            block = Philox4x32.Generate(key, (uint)(position >> 2));
        }
        position++;
        return word switch { 0 => block.X0, 1 => block.X1, 2 => block.X2, _ => block.X3 };
    }

    public ulong NextUInt64()
    {
        ulong high = NextUInt32();
        return (high << 32) | NextUInt32();
    }

    /// <summary>Uniform in [0, 1), a multiple of 2⁻⁵³.</summary>
    public double NextUniform() => (NextUInt64() >> 11) * (1.0 / (1ul << 53));

    /// <summary>Uniform in 0 … <paramref name="bound"/> − 1; the bias is below bound·2⁻⁶⁴.</summary>
    public int NextInt32(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        return (int)Math.BigMul(NextUInt64(), (ulong)bound, out _);
    }

    /// <summary>Standard normal, by G. E. P. Box and M. E. Muller (1958).</summary>
    public double NextGaussian()
    {
        if (hasSpareGaussian)
        {
            hasSpareGaussian = false;
            return spareGaussian;
        }
        double radius = Math.Sqrt(-2 * Math.Log(1 - NextUniform()));
        (double sine, double cosine) = Math.SinCos(2 * Math.PI * NextUniform());
        spareGaussian = radius * sine;
        hasSpareGaussian = true;
        return radius * cosine;
    }
}
