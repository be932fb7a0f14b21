using System.Buffers.Binary;

namespace Fathom.Runs;

/// <summary>
/// The compact form of a histogram: uint16 number of bins, then for each bin that is not empty uint16 index and
/// uint32 count, little-endian, in rising order of index.
/// </summary>
internal static class ExponentHistogram
{
    private const int HeaderSize = 2;
    private const int EntrySize = 6;

    public static int MaxSize(int bins) => HeaderSize + (bins * EntrySize);

    /// <summary>Writes the compact form and returns its length in bytes.</summary>
    public static int Encode(ReadOnlySpan<uint> bins, Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(destination, checked((ushort)bins.Length));
        int at = HeaderSize;
        for (int i = 0; i < bins.Length; i++)
        {
            if (bins[i] != 0)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(destination[at..], (ushort)i);
                BinaryPrimitives.WriteUInt32LittleEndian(destination[(at + 2)..], bins[i]);
                at += EntrySize;
            }
        }

        return at;
    }

    /// <summary>The full histogram, or null when the bytes are not one.</summary>
    public static uint[]? Decode(ReadOnlySpan<byte> source)
    {
        if (source.Length < HeaderSize || (source.Length - HeaderSize) % EntrySize != 0)
        {
            return null;
        }

        uint[] bins = new uint[BinaryPrimitives.ReadUInt16LittleEndian(source)];
        for (int at = HeaderSize; at < source.Length; at += EntrySize)
        {
            int index = BinaryPrimitives.ReadUInt16LittleEndian(source[at..]);
            if (index >= bins.Length)
            {
                return null;
            }

            bins[index] = BinaryPrimitives.ReadUInt32LittleEndian(source[(at + 2)..]);
        }

        return bins;
    }
}
