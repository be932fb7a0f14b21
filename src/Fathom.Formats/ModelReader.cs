using System.Text;
using Fathom.Formats.Keras;
using Fathom.Formats.ModelFile;
using Fathom.Training;

namespace Fathom.Formats;

/// <summary>A model, and what its reader wants to be known about it.</summary>
/// <param name="Model">The model.</param>
/// <param name="Warnings">
/// What was assumed or left out without changing the network's mathematics; one line each.
/// </param>
public sealed record ModelReadResult(ModelDefinition Model, IReadOnlyList<string> Warnings);

/// <summary>
/// Reads a model in any format that Fathom knows: its own YAML, a Keras <c>config.json</c> or <c>model.to_json()</c>, a
/// <c>.keras</c> archive. What the file is, its content says, not its name.
/// </summary>
public static class ModelReader
{
    private const long LargestText = 64 << 20;

    /// <inheritdoc cref="Load"/>
    /// <returns>The model without the reader's warnings.</returns>
    public static ModelDefinition Read(string path) => Load(path).Model;

    /// <summary>Reads a model.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="ModelFormatException">There is no such file, or it holds no model; one line that says where and why.</exception>
    public static ModelReadResult Load(string path)
    {
        ModelReadResult result = Parse(path);
        return result with { Warnings = [.. result.Warnings, .. OutputCheck.Warnings(result.Model)] };
    }

    private static ModelReadResult Parse(string path)
    {
        byte[] content = ReadAll(path);
        if (content.AsSpan().StartsWith("PK"u8) || Path.GetExtension(path).Equals(".keras", StringComparison.OrdinalIgnoreCase))
        {
            return KerasReader.ReadArchive(path, content);
        }
        string text = Decode(path, content);
        string start = text.TrimStart();
        return start.StartsWith('{') && !start.StartsWith("{fathom", StringComparison.Ordinal)
            || Path.GetExtension(path).Equals(".json", StringComparison.OrdinalIgnoreCase)
            ? KerasReader.Read(path, text)
            : new ModelReadResult(ModelFileReader.Read(path, text), []);
    }

    private static byte[] ReadAll(string path)
    {
        if (!File.Exists(path))
        {
            throw Directory.Exists(path) ? new ModelFormatException($"{path}: this is a folder; a model file is expected") : Missing(path);
        }
        try
        {
            long length = new FileInfo(path).Length;
            return length <= LargestText ? File.ReadAllBytes(path)
                : throw new ModelFormatException($"{path}: {length >> 20} MiB are too large for a model file; at most {LargestText >> 20} MiB are read");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException($"{path}: cannot be read: {error.Message}", error);
        }
    }

    private static ModelFormatException Missing(string path)
    {
        string name = Path.GetFileName(path);
        try
        {
            string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? ".";
            if (!Directory.Exists(folder))
            {
                return new ModelFormatException($"{path}: there is no such file, and no folder '{folder}'");
            }
            string? nearest = Spelling.Nearest(name, Directory.EnumerateFiles(folder).Take(10_000).Select(file => Path.GetFileName(file)));
            return new ModelFormatException($"{path}: there is no such file{(nearest is null ? "" : $", nearest in its folder is '{nearest}'")}");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return new ModelFormatException($"{path}: there is no such file");
        }
    }

    private static string Decode(string path, byte[] content)
    {
        try
        {
            using StreamReader reader = new(new MemoryStream(content), new UTF8Encoding(false, throwOnInvalidBytes: true), detectEncodingFromByteOrderMarks: true);
            return reader.ReadToEnd();
        }
        catch (DecoderFallbackException error)
        {
            throw new ModelFormatException($"{path}: this is no text in UTF-8; a YAML model file, Keras JSON or a .keras archive is expected", error);
        }
    }
}
