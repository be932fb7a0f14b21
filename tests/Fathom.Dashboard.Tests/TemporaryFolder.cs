namespace Fathom.Dashboard.Tests;

/// <summary>A folder that is there for one test.</summary>
public sealed class TemporaryFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("fathom-dashboard-tests-").FullName;

    public string File(string name = "a.run") => Path.Combine(Root, name);

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
