namespace Fathom.Compute;

/// <summary>Bit patterns of IEEE 754 binary32.</summary>
internal static class FloatBits
{
    /// <summary>√½ less 128 units of the exponent field.</summary>
    public const uint SplitOffset = unchecked(0x3F3504F3u - (128u << 23));

    /// <summary>2²³: its low mantissa bits count in ones.</summary>
    public const uint TwoTo23 = 0x4B000000;

    /// <summary>1.5·2²³: what is added to it is rounded to an integer, of either sign.</summary>
    public const double RoundingMagic = 12582912.0;
}

/// <summary>Bit patterns of IEEE 754 binary64.</summary>
internal static class DoubleBits
{
    /// <summary>√½ less 1024 units of the exponent field.</summary>
    public const ulong SplitOffset = unchecked(0x3FE6A09E667F3BCDul - (1024ul << 52));

    /// <summary>2⁵²: its low mantissa bits count in ones.</summary>
    public const ulong TwoTo52 = 0x4330000000000000;

    /// <summary>1.5·2⁵²: what is added to it is rounded to an integer, of either sign.</summary>
    public const double RoundingMagic = 6755399441055744.0;
}
