namespace Fathom.Training.Data;

/// <summary>Opens data files, through gzip where they are compressed, with messages that say which file and why.</summary>
internal static class DataFile
{
    /// <summary>Runs <paramref name="read"/> over the file's bytes; every failure of the file system is one line.</summary>
    public static T Read<T>(string path, Func<Stream, long?, T> read)
    {
        if (!File.Exists(path))
        {
            throw new DataException(Missing(path));
        }
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16);
            if (!path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
            {
                return read(file, file.Length);
            }
            using var plain = new GzipReader(file);
            return read(plain, null);
        }
        catch (InvalidDataException error)
        {
            throw new DataException($"{path} is not one whole gzip file: it is damaged, cut short, or joined from several.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{path} cannot be read: {error.Message.ReplaceLineEndings(" ")}", error);
        }
    }

    private static string Missing(string path)
    {
        if (path.Length == 0)
        {
            return "The spec names no file: give one after the colon, such as csv:data.csv.";
        }
        if (Directory.Exists(path))
        {
            return $"{path} is a folder, but a file is needed.";
        }
        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "";
        if (!Directory.Exists(folder))
        {
            return $"There is no file {path}, nor the folder that it would lie in.";
        }
        try
        {
            IEnumerable<string> neighbours = Directory.EnumerateFiles(folder).Take(1000).Select(f => Path.GetFileName(f));
            return $"There is no file {path}.{Spelling.Hint(Path.GetFileName(path), neighbours)}";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return $"There is no file {path}.";
        }
    }
}
