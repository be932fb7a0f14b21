using System.IO.Compression;
using System.Text;

namespace Fathom.Formats.Keras;

/// <summary>Takes config.json out of a <c>.keras</c> archive, which is a zip of config.json, metadata.json and weights.</summary>
internal static class KerasArchive
{
    private const string ConfigName = "config.json";
    private const int LargestConfig = 64 << 20;

    /// <exception cref="ModelFormatException">No zip, a damaged one, or one without a config.json.</exception>
    public static string ReadConfig(string file, byte[] content)
    {
        if (!content.AsSpan().StartsWith("PK"u8))
        {
            bool isHdf5 = content is [0x89, (byte)'H', (byte)'D', (byte)'F', ..];
            throw new ModelFormatException(isHdf5
                ? $"{file}: this is an HDF5 file, Keras' old format; save it as .keras, or write model.to_json() to a .json file"
                : $"{file}: this is no .keras archive (a zip with {ConfigName})");
        }
        try
        {
            using ZipArchive archive = new(new MemoryStream(content), ZipArchiveMode.Read);
            ZipArchiveEntry entry = archive.GetEntry(ConfigName)
                ?? throw new ModelFormatException($"{file}: the archive has no {ConfigName}; it holds {Names(archive)}");
            return ReadText(file, entry);
        }
        catch (Exception error) when (error is InvalidDataException or IOException or NotSupportedException or ArgumentException or OverflowException or IndexOutOfRangeException)
        {
            throw new ModelFormatException($"{file}: the archive is damaged or cut off: {error.Message}", error);
        }
    }

    private static string ReadText(string file, ZipArchiveEntry entry)
    {
        using Stream stream = entry.Open();
        using MemoryStream text = new();
        byte[] piece = new byte[1 << 16];
        // The size that the archive states may be a lie, so count what comes out.
        for (int count; (count = stream.Read(piece)) > 0;)
        {
            text.Write(piece, 0, count);
            if (text.Length > LargestConfig)
            {
                throw new ModelFormatException($"{file}: {ConfigName} in the archive is larger than {LargestConfig >> 20} MiB");
            }
        }
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(text.GetBuffer(), 0, (int)text.Length);
        }
        catch (DecoderFallbackException error)
        {
            throw new ModelFormatException($"{file}: {ConfigName} in the archive is no text in UTF-8", error);
        }
    }

    private static string Names(ZipArchive archive) => archive.Entries.Count == 0 ? "nothing"
        : string.Join(", ", archive.Entries.Take(5).Select(entry => entry.FullName)) + (archive.Entries.Count > 5 ? ", …" : "");
}
