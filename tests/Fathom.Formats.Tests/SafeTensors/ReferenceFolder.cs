namespace Fathom.Formats.Tests.SafeTensors;

/// <summary>
/// PyTorch's vectors: the folder that FATHOM_REFERENCE names, or shared/reference beside the repository.
/// </summary>
internal static class ReferenceFolder
{
    public static string? Path { get; } = Find();

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("FATHOM_REFERENCE") is { Length: > 0 } given)
        {
            return given;
        }
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(System.IO.Path.Combine(folder.FullName, "Fathom.slnx")))
        {
            folder = folder.Parent;
        }
        string? beside = folder?.Parent is { } parent ? System.IO.Path.Combine(parent.FullName, "shared", "reference") : null;
        return Directory.Exists(beside) ? beside : null;
    }
}

/// <summary>A fact that is shown as skipped where the reference vectors are not at hand.</summary>
internal sealed class ReferenceFactAttribute : FactAttribute
{
    public ReferenceFactAttribute()
    {
        if (ReferenceFolder.Path is null)
        {
            Skip = "The reference vectors are neither at FATHOM_REFERENCE nor at ../shared/reference.";
        }
    }
}
