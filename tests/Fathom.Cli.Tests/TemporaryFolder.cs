namespace Fathom.Cli.Tests;

/// <summary>A folder of its own for a test, with the models that the tests share.</summary>
public sealed class TemporaryFolder : IDisposable
{
    private readonly string path = Directory.CreateTempSubdirectory("fathom-cli-").FullName;

    public string File(string name) => Path.Combine(path, name);

    public string Write(string name, string text)
    {
        System.IO.File.WriteAllText(File(name), text);
        return File(name);
    }

    public IEnumerable<string> Names => Directory.EnumerateFileSystemEntries(path).Select(entry => Path.GetFileName(entry)).Order();

    /// <summary>A chain of hidden layers on the digits.</summary>
    public string Model(string name, string layer, int depth = 2, int width = 16, string optimizer = "{sgd: {learning_rate: 0.1, momentum: 0.9}}", int epochs = 2, string data = "data: digits", string input = "64", string loss = "cross_entropy", int outputs = 10) => Write(name, $$"""
        fathom: 1
        {{data}}
        seed: 3
        input: {{input}}
        layers:
          - repeat: {{depth}}
            layers:
              - dense: {units: {{width}}, weight: xavier_normal}
              - {{layer}}
          - dense: {{outputs}}
        loss: {{loss}}
        optimizer: {{optimizer}}
        batch: 32
        epochs: {{epochs}}
        """);

    public void Dispose() => Directory.Delete(path, recursive: true);
}
