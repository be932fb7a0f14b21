using Fathom.Cli.Arguments;
using Fathom.Diagnosis.Repair;
using Fathom.Training;

namespace Fathom.Cli.Verbs;

/// <summary>The mended model as it goes into its file.</summary>
internal static class MendedModel
{
    /// <summary>
    /// The cure with the data as the original file named them, unless the command line named others: a path that was
    /// found beside the model stays relative, if the mended file lies in the same folder.
    /// </summary>
    public static ModelDefinition ForFile(DoctorReport report, LoadedModel loaded, string path)
    {
        bool sameFolder = Folder(loaded.Path) == Folder(path);
        return report.Mended! with { Data = sameFolder && loaded.FileData is { } original ? original : loaded.Model.Data };
    }

    /// <summary>Comment lines that say where the file comes from.</summary>
    public static IReadOnlyList<string> Header(DoctorReport report) =>
    [
        $"{report.Model.Name}, mended by 'fathom fix': {report.Cure!.Name}",
        report.Verdict,
    ];

    private static string? Folder(string path) => Path.GetDirectoryName(Path.GetFullPath(path));
}
