using Fathom.Dashboard.Reporting;
using Fathom.Runs;

namespace Fathom.Dashboard;

/// <summary>
/// A run as one HTML page: what is wrong, how training went, and where the gradient goes. The page needs no other file,
/// no script and no network, and is the same, byte for byte, for the same run.
/// </summary>
public static class Report
{
    /// <summary>
    /// Writes the report of a run; the run may be unfinished, killed, thinned, empty, or being written at the moment.
    /// An older report at the path is replaced in one go.
    /// </summary>
    /// <param name="runFile">The run; it is only read.</param>
    /// <param name="outPath">Where the page goes; its folder must exist.</param>
    /// <exception cref="RunFileException">The run is missing, isn't a run, or is damaged.</exception>
    /// <exception cref="ReportException">The page cannot be written there.</exception>
    public static void Write(string runFile, string outPath)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(outPath);
        RequireFree(outPath);
        string page = Render(runFile);
        string partial = $"{outPath}.{Environment.ProcessId}.partial";
        try
        {
            File.WriteAllText(partial, page);
            File.Move(partial, outPath, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Discard(partial);
            throw new ReportException($"'{outPath}' cannot be written: {e.Message} Choose another path for the report.", e);
        }
    }

    /// <summary>The report of a run as text, for a web server or a test.</summary>
    /// <param name="runFile">The run; it is only read.</param>
    /// <exception cref="RunFileException">The run is missing, isn't a run, or is damaged.</exception>
    public static string Render(string runFile)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(runFile);
        return ReportPage.Write(RunData.Read(runFile));
    }

    /// <summary>A path mistyped must not cost a run.</summary>
    private static void RequireFree(string outPath)
    {
        if (Directory.Exists(outPath))
        {
            throw new ReportException($"'{outPath}' is a folder; give a file for the report, such as '{Path.Combine(outPath, "report.html")}'.");
        }

        if (Path.GetDirectoryName(Path.GetFullPath(outPath)) is { } folder && !Directory.Exists(folder))
        {
            throw new ReportException($"The folder '{folder}' is missing; create it, or choose another path for the report.");
        }

        if (File.Exists(outPath) && IsDatabase(outPath))
        {
            throw new ReportException($"'{outPath}' is a run or another database; a report may not replace it. Choose another path for the report.");
        }
    }

    private static bool IsDatabase(string path)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            Span<byte> start = stackalloc byte[16];
            return file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual("SQLite format 3\0"u8);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ReportException($"'{path}' cannot be replaced: {e.Message} Choose another path for the report.", e);
        }
    }

    private static void Discard(string partial)
    {
        try
        {
            File.Delete(partial);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The reason why the page could not be written is told already.
        }
    }
}
