using System.Buffers;
using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Fathom.Formats.SafeTensors;

/// <summary>Writes a safetensors file beside its place, and moves it there when it is whole and on disk.</summary>
internal static class SafeTensorsWriter
{
    private const int ChunkElements = 1 << 13;

    /// <summary>The header is padded with blanks, so that the data start at a multiple of the widest element.</summary>
    private const int Alignment = 8;

    public static void Write(string path, SafeTensorEntry[] entries, IReadOnlyDictionary<string, string>? metadata)
    {
        CheckNames(entries);
        // Wider elements first, so that every tensor is aligned to its element.
        SafeTensorEntry[] ordered = [.. entries.OrderByDescending(e => e.DType.Size())];
        byte[] header = Header(ordered, metadata);
        string temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                stream.Write(header);
                foreach (SafeTensorEntry entry in ordered)
                {
                    WriteValues(stream, entry.Values);
                }
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private static void CheckNames(SafeTensorEntry[] entries)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (SafeTensorEntry entry in entries)
        {
            if (entry.Name == "__metadata__" || !names.Add(entry.Name))
            {
                throw new ArgumentException($"A tensor cannot be called '{entry.Name}': names must differ from each other and from '__metadata__'.");
            }
        }
    }

    private static byte[] Header(SafeTensorEntry[] entries, IReadOnlyDictionary<string, string>? metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            WriteMetadata(json, metadata);
            long offset = 0;
            foreach (SafeTensorEntry entry in entries)
            {
                offset = WriteTensor(json, entry, offset);
            }
            json.WriteEndObject();
        }
        int length = (buffer.WrittenCount + Alignment - 1) / Alignment * Alignment;
        var header = new byte[SafeTensorsFile.LengthBytes + length];
        header.AsSpan().Fill((byte)' ');
        BinaryPrimitives.WriteInt64LittleEndian(header, length);
        buffer.WrittenSpan.CopyTo(header.AsSpan(SafeTensorsFile.LengthBytes));
        return header;
    }

    private static void WriteMetadata(Utf8JsonWriter json, IReadOnlyDictionary<string, string>? metadata)
    {
        if (metadata is null || metadata.Count == 0)
        {
            return;
        }
        json.WriteStartObject("__metadata__");
        foreach ((string key, string value) in metadata)
        {
            json.WriteString(key, value);
        }
        json.WriteEndObject();
    }

    private static long WriteTensor(Utf8JsonWriter json, SafeTensorEntry entry, long offset)
    {
        long end = offset + ((long)entry.Values.Length * entry.DType.Size());
        json.WriteStartObject(entry.Name);
        json.WriteString("dtype", entry.DType.ToString());
        json.WriteStartArray("shape");
        foreach (int extent in entry.Shape)
        {
            json.WriteNumberValue(extent);
        }
        json.WriteEndArray();
        json.WriteStartArray("data_offsets");
        json.WriteNumberValue(offset);
        json.WriteNumberValue(end);
        json.WriteEndArray();
        json.WriteEndObject();
        return end;
    }

    private static void WriteValues(Stream stream, Array values)
    {
        switch (values)
        {
            case float[] singles:
                WriteChunks<float>(stream, singles, sizeof(float), BinaryPrimitives.WriteSingleLittleEndian);
                break;
            case double[] doubles:
                WriteChunks<double>(stream, doubles, sizeof(double), BinaryPrimitives.WriteDoubleLittleEndian);
                break;
            default:
                WriteChunks<long>(stream, (long[])values, sizeof(long), BinaryPrimitives.WriteInt64LittleEndian);
                break;
        }
    }

    private static void WriteChunks<T>(Stream stream, ReadOnlySpan<T> values, int size, Encode<T> encode)
    {
        var chunk = new byte[ChunkElements * size];
        for (; !values.IsEmpty; values = values[Math.Min(ChunkElements, values.Length)..])
        {
            int count = Math.Min(ChunkElements, values.Length);
            for (int i = 0; i < count; i++)
            {
                encode(chunk.AsSpan(i * size), values[i]);
            }
            stream.Write(chunk, 0, count * size);
        }
    }

    private delegate void Encode<T>(Span<byte> destination, T value);
}
