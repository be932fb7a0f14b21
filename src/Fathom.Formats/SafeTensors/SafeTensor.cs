using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Numerics;

namespace Fathom.Formats.SafeTensors;

/// <summary>Where a tensor lies within the data, in bytes, and how it is to be read.</summary>
internal sealed record SafeTensorLayout(SafeTensorType Type, ImmutableArray<int> Shape, long Begin, long End);

/// <summary>One tensor of a file. Its data are read from disk when they are asked for.</summary>
public sealed class SafeTensor
{
    /// <summary>A multiple of every element size.</summary>
    private const int ChunkBytes = 1 << 16;

    private readonly SafeTensorsFile file;
    private readonly SafeTensorLayout layout;

    internal SafeTensor(SafeTensorsFile file, string name, SafeTensorLayout layout)
    {
        this.file = file;
        Name = name;
        this.layout = layout;
    }

    public string Name { get; }

    /// <summary>The extents; empty for a scalar. The data lie row-major.</summary>
    public ImmutableArray<int> Shape => layout.Shape;

    public SafeTensorType DType => layout.Type;

    /// <summary>Number of elements.</summary>
    public long Count => (layout.End - layout.Begin) / layout.Type.Size();

    /// <summary>The elements, rounded to float32 where their type is wider. BOOL gives 0 and 1.</summary>
    /// <exception cref="SafeTensorsException">The file has changed or cannot be read, or has too many elements.</exception>
    public float[] ToSingles() => Read<float>();

    /// <summary>The elements in float64; I64 is rounded beyond 2^53. BOOL gives 0 and 1.</summary>
    /// <exception cref="SafeTensorsException">The file has changed or cannot be read, or has too many elements.</exception>
    public double[] ToDoubles() => Read<double>();

    /// <summary>The elements of a type of whole numbers. BOOL gives 0 and 1.</summary>
    /// <exception cref="SafeTensorsException">
    /// The type is not one of whole numbers, the file has changed or cannot be read, or has too many elements.
    /// </exception>
    public long[] ToInt64s() => layout.Type.IsWhole()
        ? Read<long>()
        : throw new SafeTensorsException($"{file.Path}: tensor {SafeTensorsHeader.Shown(Name)} is {DType}, but whole numbers (I64, I32, U8, I8 or BOOL) are needed");

    private T[] Read<T>() where T : unmanaged, INumberBase<T>
    {
        if (Count > Array.MaxLength)
        {
            throw new SafeTensorsException($"{file.Path}: tensor {SafeTensorsHeader.Shown(Name)} has {Count} elements, but at most {Array.MaxLength} can be read");
        }
        int size = layout.Type.Size();
        var values = new T[Count];
        byte[] chunk = new byte[(int)Math.Min(ChunkBytes, layout.End - layout.Begin)];
        using FileStream stream = file.OpenData(layout.Begin);
        for (int done = 0; done < values.Length; done += chunk.Length / size)
        {
            int elements = Math.Min(chunk.Length / size, values.Length - done);
            Span<byte> bytes = chunk.AsSpan(0, elements * size);
            file.Fill(stream, bytes);
            Decode(layout.Type, bytes, values.AsSpan(done, elements));
        }
        return values;
    }

    private static void Decode<T>(SafeTensorType type, ReadOnlySpan<byte> bytes, Span<T> values)
        where T : unmanaged, INumberBase<T>
    {
        int size = type.Size();
        for (int i = 0; i < values.Length; i++)
        {
            ReadOnlySpan<byte> at = bytes.Slice(i * size, size);
            // CreateTruncating: the conversion of a C# cast, which rounds floats and keeps NaN and infinity.
            values[i] = type switch
            {
                SafeTensorType.BOOL => at[0] == 0 ? T.Zero : T.One,
                SafeTensorType.U8 => T.CreateTruncating(at[0]),
                SafeTensorType.I8 => T.CreateTruncating((sbyte)at[0]),
                SafeTensorType.F16 => T.CreateTruncating((float)BinaryPrimitives.ReadHalfLittleEndian(at)),
                SafeTensorType.BF16 => T.CreateTruncating(BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(at) << 16)),
                SafeTensorType.I32 => T.CreateTruncating(BinaryPrimitives.ReadInt32LittleEndian(at)),
                SafeTensorType.F32 => T.CreateTruncating(BinaryPrimitives.ReadSingleLittleEndian(at)),
                SafeTensorType.I64 => T.CreateTruncating(BinaryPrimitives.ReadInt64LittleEndian(at)),
                _ => T.CreateTruncating(BinaryPrimitives.ReadDoubleLittleEndian(at)),
            };
        }
    }
}
