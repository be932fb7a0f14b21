using System.Text.Json;

namespace Fathom.Formats.SafeTensors;

/// <summary>Reads and checks the JSON header: every offset that leaves here lies within the file.</summary>
internal sealed class SafeTensorsHeader(string path, long dataBytes)
{
    private const string Metadata = "__metadata__";
    private const string ValidTypes = "BOOL, U8, I8, F16, BF16, I32, F32, I64, F64";

    private readonly Dictionary<string, string> metadata = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SafeTensorLayout> tensors = new(StringComparer.Ordinal);
    private bool hasMetadata;

    public IReadOnlyDictionary<string, string> Entries => metadata;

    public IReadOnlyDictionary<string, SafeTensorLayout> Tensors => tensors;

    public void Read(ReadOnlySpan<byte> json)
    {
        if (!json.StartsWith("{"u8))
        {
            throw Bad("its header is not a JSON object, which starts with '{'");
        }
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                reader.Read();
                if (name == Metadata)
                {
                    ReadMetadata(ref reader);
                }
                else if (!tensors.TryAdd(name, ReadTensor(ref reader, name)))
                {
                    throw Bad($"tensor {Shown(name)} is listed twice");
                }
            }
            while (reader.Read())
            {
                // Walks to the end, so that text after the object is reported.
            }
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is no valid Unicode.
            throw new SafeTensorsException($"{path} is damaged: its header is no valid JSON ({error.Message.ReplaceLineEndings(" ")})", error);
        }
        CheckOffsets();
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (hasMetadata || reader.TokenType != JsonTokenType.StartObject)
        {
            throw Bad($"{Metadata} must be one JSON object of strings");
        }
        hasMetadata = true;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String || !metadata.TryAdd(key, reader.GetString()!))
            {
                throw Bad($"{Metadata} entry {Shown(key)} must be a string, and there only once");
            }
        }
    }

    private SafeTensorLayout ReadTensor(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Bad($"tensor {Shown(name)} must be a JSON object with dtype, shape and data_offsets");
        }
        SafeTensorType? type = null;
        long[]? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            switch (key)
            {
                case "dtype" when type is null:
                    type = ReadType(ref reader, name);
                    break;
                case "shape" when shape is null:
                    shape = ReadNumbers(ref reader, name, key);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadNumbers(ref reader, name, key);
                    break;
                default:
                    throw Bad($"tensor {Shown(name)} has an unknown or repeated entry {Shown(key)}; it must have dtype, shape and data_offsets, once each");
            }
        }
        if (type is null || shape is null || offsets is not { Length: 2 })
        {
            throw Bad($"tensor {Shown(name)} must have dtype, shape and two data_offsets");
        }
        return Layout(name, type.Value, shape, offsets[0], offsets[1]);
    }

    private SafeTensorType ReadType(ref Utf8JsonReader reader, string name)
    {
        string text = reader.TokenType == JsonTokenType.String ? reader.GetString()! : reader.TokenType.ToString();
        return SafeTensorTypes.Parse(text)
            ?? throw new SafeTensorsException($"{path}: tensor {Shown(name)} has dtype {Shown(text)}; supported are {ValidTypes}");
    }

    private long[] ReadNumbers(ref Utf8JsonReader reader, string name, string key)
    {
        var numbers = new List<long>();
        bool right = reader.TokenType == JsonTokenType.StartArray;
        while (right && reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            right = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long number) && number >= 0;
            if (right)
            {
                numbers.Add(reader.GetInt64());
            }
        }
        return right ? [.. numbers] : throw Bad($"{key} of tensor {Shown(name)} must be an array of whole numbers from 0");
    }

    private SafeTensorLayout Layout(string name, SafeTensorType type, long[] shape, long begin, long end)
    {
        if (begin > end || end > dataBytes)
        {
            throw Bad($"tensor {Shown(name)} is said to lie at bytes {begin} to {end}, but there are {dataBytes} bytes of data");
        }
        // Int128: no product of an int and a long overflows it, and each step is checked before the next.
        Int128 bytes = type.Size();
        foreach (long extent in shape)
        {
            bytes *= extent;
            if (extent > int.MaxValue || bytes > long.MaxValue)
            {
                throw Bad($"tensor {Shown(name)} has the impossible shape {Shown(shape)}");
            }
        }
        if (bytes != end - begin)
        {
            throw Bad($"tensor {Shown(name)} of {type} and shape {Shown(shape)} takes {bytes} bytes, but its offsets span {end - begin}");
        }
        return new SafeTensorLayout(type, [.. shape.Select(extent => (int)extent)], begin, end);
    }

    /// <summary>The format wants the data without overlaps and without holes.</summary>
    private void CheckOffsets()
    {
        long at = 0;
        string before = "";
        foreach ((string name, SafeTensorLayout tensor) in tensors.OrderBy(t => t.Value.Begin).ThenBy(t => t.Value.End))
        {
            if (tensor.Begin < at)
            {
                throw Bad($"tensors {Shown(before)} and {Shown(name)} overlap at byte {tensor.Begin} of the data");
            }
            if (tensor.Begin > at)
            {
                throw Bad($"no tensor has bytes {at} to {tensor.Begin} of the data, before {Shown(name)}");
            }
            (at, before) = (tensor.End, name);
        }
        if (at != dataBytes)
        {
            throw Bad($"its tensors take {at} bytes, but it has {dataBytes} bytes of data");
        }
    }

    private SafeTensorsException Bad(string problem) => new($"{path} is damaged or not a safetensors file: {problem}");

    private static string Shown(long[] shape) => shape.Length <= 8
        ? $"[{string.Join(", ", shape)}]"
        : $"[{string.Join(", ", shape.Take(8))}, …]";

    /// <summary>A name for a message: quoted, cut if it is long, on one line.</summary>
    internal static string Shown(string name)
    {
        string line = new([.. name.Take(80).Select(c => char.IsControl(c) ? ' ' : c)]);
        return name.Length <= 80 ? $"'{line}'" : $"'{line}…'";
    }
}
