using System.Buffers.Binary;
using System.Collections.Immutable;

namespace Fathom.Formats.SafeTensors;

/// <summary>
/// A safetensors file: the header's length (8 bytes, little-endian), a JSON header with each tensor's dtype, shape and
/// data_offsets, then the raw data. Opening reads the header only, and holds no handle afterwards.
/// </summary>
public sealed class SafeTensorsFile
{
    /// <summary>The largest header the format allows, in bytes.</summary>
    public const int LargestHeader = 100_000_000;

    internal const int LengthBytes = 8;

    private readonly IReadOnlyDictionary<string, SafeTensorLayout> tensors;
    private readonly long dataStart;

    private SafeTensorsFile(string path, SafeTensorsHeader header, long dataStart)
    {
        Path = path;
        tensors = header.Tensors;
        Metadata = header.Entries;
        Names = [.. tensors.OrderBy(t => t.Value.Begin).ThenBy(t => t.Value.End).Select(t => t.Key)];
        this.dataStart = dataStart;
    }

    public string Path { get; }

    /// <summary>The tensors' names, in the order of their data.</summary>
    public ImmutableArray<string> Names { get; }

    /// <summary>The free strings that the header carries.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Reads and checks the header.</summary>
    /// <exception cref="SafeTensorsException">There is no such file, or it is damaged.</exception>
    public static SafeTensorsFile Open(string path)
    {
        using FileStream stream = OpenStream(path);
        return Guarded(path, () => Open(stream, path));
    }

    /// <summary>Writes tensors to a file, which appears whole or, if writing fails, not at all.</summary>
    /// <param name="path">An existing file is replaced.</param>
    /// <param name="entries">The tensors, with names that differ.</param>
    /// <param name="metadata">Free strings for the header, or none.</param>
    /// <exception cref="ArgumentException">A name given twice, or one that the format keeps for itself.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, IEnumerable<SafeTensorEntry> entries, IReadOnlyDictionary<string, string>? metadata = null) =>
        SafeTensorsWriter.Write(path, [.. entries], metadata);

    public bool Contains(string name) => tensors.ContainsKey(name);

    /// <exception cref="SafeTensorsException">There is no tensor of this name.</exception>
    public SafeTensor Tensor(string name) => tensors.TryGetValue(name, out SafeTensorLayout? layout)
        ? new SafeTensor(this, name, layout)
        : throw new SafeTensorsException($"{Path} has no tensor {SafeTensorsHeader.Shown(name)}; it has {Listed()}");

    internal FileStream OpenData(long offset)
    {
        FileStream stream = OpenStream(Path);
        stream.Position = dataStart + offset;
        return stream;
    }

    internal void Fill(FileStream stream, Span<byte> bytes)
    {
        try
        {
            stream.ReadExactly(bytes);
        }
        catch (IOException error)
        {
            throw new SafeTensorsException($"{Path} has changed or cannot be read any more: {error.Message.ReplaceLineEndings(" ")}", error);
        }
    }

    private static SafeTensorsFile Open(FileStream stream, string path)
    {
        long length = stream.Length;
        Span<byte> lengthBytes = stackalloc byte[LengthBytes];
        if (length < LengthBytes)
        {
            throw new SafeTensorsException($"{path} is cut short: it has {length} bytes, but a safetensors file starts with 8 that give its header's length");
        }
        stream.ReadExactly(lengthBytes);
        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(lengthBytes);
        if (headerLength > LargestHeader)
        {
            throw new SafeTensorsException($"{path} is no safetensors file: its header would have {headerLength} bytes, but at most {LargestHeader} are allowed");
        }
        if ((long)headerLength > length - LengthBytes)
        {
            throw new SafeTensorsException($"{path} is cut short: its header has {headerLength} bytes, but {length - LengthBytes} are left in the file");
        }
        var json = new byte[headerLength];
        stream.ReadExactly(json);
        long dataStart = LengthBytes + (long)headerLength;
        var header = new SafeTensorsHeader(path, length - dataStart);
        header.Read(json);
        return new SafeTensorsFile(path, header, dataStart);
    }

    private static FileStream OpenStream(string path)
    {
        if (!File.Exists(path))
        {
            throw new SafeTensorsException($"There is no file {path}");
        }
        return Guarded(path, () => new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete));
    }

    private static T Guarded<T>(string path, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new SafeTensorsException($"{path} cannot be read: {error.Message.ReplaceLineEndings(" ")}", error);
        }
    }

    private string Listed() => Names.IsEmpty ? "none"
        : string.Join(", ", Names.Take(10).Select(SafeTensorsHeader.Shown)) + (Names.Length > 10 ? $" and {Names.Length - 10} more" : "");
}
