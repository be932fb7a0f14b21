using System.IO.Compression;
using System.Text;

namespace Fathom.Training.Tests.Data;

/// <summary>A folder for one test's files.</summary>
public sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("fathom-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public string Text(string name, string content) => Bytes(name, Encoding.UTF8.GetBytes(content));

    /// <summary>Writes a file, compressed if its name ends in .gz.</summary>
    public string Bytes(string name, byte[] content)
    {
        string path = this[name];
        using Stream file = File.Create(path);
        using Stream stream = name.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionLevel.Fastest) : file;
        stream.Write(content);
        return path;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>
/// The larger data sets: the folder that FATHOM_DATA names, or shared/data beside the repository. The fact is shown as
/// skipped where neither is there.
/// </summary>
internal sealed class DataFactAttribute : FactAttribute
{
    public DataFactAttribute()
    {
        if (Folder is null)
        {
            Skip = "The data sets are neither at FATHOM_DATA nor at ../shared/data.";
        }
    }

    public static string? Folder { get; } = Find();

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("FATHOM_DATA") is { Length: > 0 } given)
        {
            return given;
        }
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Fathom.slnx")))
        {
            folder = folder.Parent;
        }
        string? beside = folder?.Parent is { } parent ? Path.Combine(parent.FullName, "shared", "data") : null;
        return Directory.Exists(beside) ? beside : null;
    }
}
