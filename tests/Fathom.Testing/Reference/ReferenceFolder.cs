using System.Text.Json;
using Fathom.Formats.SafeTensors;

namespace Fathom.Testing.Reference;

/// <summary>A folder of PyTorch's vectors: index.json and one safetensors file per family.</summary>
public sealed class ReferenceFolder
{
    private readonly Dictionary<string, SafeTensorsFile> files = [];

    private ReferenceFolder(string path, List<ReferenceCase> cases) => (Path, Cases) = (path, cases);

    public string Path { get; }

    public IReadOnlyList<ReferenceCase> Cases { get; }

    /// <summary>True if the vectors are there; tests that need them skip with a reason if not.</summary>
    public static bool Exists => File.Exists(System.IO.Path.Combine(RepositoryFiles.ReferenceFolder, "index.json"));

    public static ReferenceFolder Open()
    {
        string path = RepositoryFiles.ReferenceFolder;
        using JsonDocument index = JsonDocument.Parse(File.ReadAllText(System.IO.Path.Combine(path, "index.json")));
        List<ReferenceCase> cases = [];
        ReferenceFolder folder = new(path, cases);
        foreach (JsonElement entry in index.RootElement.GetProperty("cases").EnumerateArray())
        {
            cases.Add(new ReferenceCase(folder, entry.Clone()));
        }
        return folder;
    }

    internal SafeTensorsFile OpenFile(string name)
    {
        if (!files.TryGetValue(name, out SafeTensorsFile? file))
        {
            files[name] = file = SafeTensorsFile.Open(System.IO.Path.Combine(Path, name));
        }
        return file;
    }
}
