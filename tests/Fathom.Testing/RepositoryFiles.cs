namespace Fathom.Testing;

/// <summary>Finds files of the repository from wherever a test runs.</summary>
public static class RepositoryFiles
{
    /// <summary>The folder that holds Fathom.slnx.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The reference vectors: <c>FATHOM_REFERENCE</c>, or <c>../shared/reference</c> beside the repository.</summary>
    public static string ReferenceFolder =>
        Environment.GetEnvironmentVariable("FATHOM_REFERENCE") is { Length: > 0 } folder ? folder : Path.Combine(Root, "..", "shared", "reference");

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Fathom.slnx")))
            {
                return folder.FullName;
            }
        }
        throw new InvalidOperationException($"No folder above {AppContext.BaseDirectory} holds Fathom.slnx.");
    }
}
