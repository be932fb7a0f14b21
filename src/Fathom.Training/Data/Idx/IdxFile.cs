using System.Buffers.Binary;

namespace Fathom.Training.Data.Idx;

/// <summary>
/// One IDX file: two zero bytes, a type byte, the number of dimensions, each extent as a big-endian int32, then the
/// values in row-major order, big-endian.
/// </summary>
internal sealed class IdxFile
{
    public const byte UnsignedByte = 0x08;
    public const byte Single = 0x0D;

    private const int MostDimensions = 8;

    private IdxFile(string path, byte type, int[] extents, byte[] values)
    {
        Path = path;
        Type = type;
        Extents = extents;
        Values = values;
    }

    public string Path { get; }

    /// <summary><see cref="UnsignedByte"/> or <see cref="Single"/>.</summary>
    public byte Type { get; }

    public int[] Extents { get; }

    /// <summary>The raw bytes of all values.</summary>
    public byte[] Values { get; }

    public static IdxFile Read(string path) => DataFile.Read(path, (stream, length) => Read(stream, length, path));

    private static IdxFile Read(Stream stream, long? length, string path)
    {
        Span<byte> head = stackalloc byte[4];
        if (stream.ReadAtLeast(head, 4, throwOnEndOfStream: false) < 4)
        {
            throw new DataException($"{path} is cut short: an IDX file starts with 4 bytes of magic number.");
        }
        (byte type, int dimensions) = (head[2], head[3]);
        if (head[0] != 0 || head[1] != 0 || dimensions is 0 or > MostDimensions || type is not (UnsignedByte or Single))
        {
            throw new DataException($"{path} is no IDX file that can be read: its magic number is 0x{Convert.ToHexString(head)}, but must be 0x000008NN (bytes) or 0x00000DNN (float32) with NN dimensions.");
        }
        int[] extents = ReadExtents(stream, dimensions, path);
        long bytes = Size(path, type, extents);
        string shape = string.Join("×", extents);
        if (length is { } all && all - 4 - (4 * dimensions) != bytes)
        {
            throw WrongLength(path, shape, bytes, all - 4 - (4 * dimensions));
        }
        byte[] values = ReadUpTo(stream, bytes);
        if (values.Length != bytes)
        {
            throw WrongLength(path, shape, bytes, values.Length);
        }
        return stream.ReadByte() < 0 ? new IdxFile(path, type, extents, values)
            : throw new DataException($"{path} goes on after the {bytes} bytes of values that its header promises ({shape}).");
    }

    private static DataException WrongLength(string path, string shape, long promised, long found) =>
        new($"{path} {(found < promised ? "is cut short" : "is too long")}: its header promises {promised} bytes of values ({shape}), but it has {found}.");

    private static int[] ReadExtents(Stream stream, int dimensions, string path)
    {
        var extents = new int[dimensions];
        Span<byte> extent = stackalloc byte[4];
        for (int d = 0; d < dimensions; d++)
        {
            if (stream.ReadAtLeast(extent, 4, throwOnEndOfStream: false) < 4)
            {
                throw new DataException($"{path} is cut short within its header: {dimensions} dimensions are promised, but {d} are there.");
            }
            extents[d] = BinaryPrimitives.ReadInt32BigEndian(extent);
        }
        return extents;
    }

    private static long Size(string path, byte type, int[] extents)
    {
        long bytes = type == Single ? 4 : 1;
        foreach (int extent in extents)
        {
            // Each extent and the product so far fit 31 bits, so that their product fits 62.
            bytes *= extent;
            if (extent < 1 || bytes > Array.MaxLength)
            {
                throw new DataException($"{path} has the extents {string.Join("×", extents)}; each must be at least 1, and the values at most {Array.MaxLength} bytes.");
            }
        }
        return bytes;
    }

    /// <summary>
    /// Reads as far as the stream goes. Memory grows with what is read, not with what a damaged header promises.
    /// </summary>
    private static byte[] ReadUpTo(Stream stream, long bytes)
    {
        var values = new byte[Math.Min(bytes, 1 << 20)];
        int filled = 0;
        while (true)
        {
            filled += stream.ReadAtLeast(values.AsSpan(filled), values.Length - filled, throwOnEndOfStream: false);
            if (filled < values.Length || filled == bytes)
            {
                Array.Resize(ref values, filled);
                return values;
            }
            Array.Resize(ref values, (int)Math.Min(values.Length * 2L, bytes));
        }
    }
}
