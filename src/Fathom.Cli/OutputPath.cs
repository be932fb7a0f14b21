namespace Fathom.Cli;

/// <summary>Checks before any work is done that a file can be written where it was asked for.</summary>
public static class OutputPath
{
    /// <summary>Where systems keep files that are no files. Outputs appear by renaming, which would replace a device itself.</summary>
    private static readonly string[] SystemFolders = ["/dev/", "/proc/", "/sys/"];

    /// <param name="path">As given; null if it was not.</param>
    /// <param name="option">The option, for the message.</param>
    /// <param name="inputs">Files that are read and must not be replaced.</param>
    /// <exception cref="UsageException">The folder is missing, the path is a folder, or it is one of the inputs.</exception>
    public static void Require(string? path, string option, params ReadOnlySpan<string?> inputs)
    {
        if (path is null)
        {
            return;
        }
        if (path.Length == 0)
        {
            throw new UsageException($"{option}: the path is empty; give a file to write");
        }
        string full = Path.GetFullPath(path);
        if (Directory.Exists(full))
        {
            throw new UsageException($"{option} {path}: this is a folder; give a file to write");
        }
        if (!OperatingSystem.IsWindows() && (IsSystem(full) || IsSystem(Target(full))))
        {
            throw new UsageException($"{option} {path}: this is a device or belongs to the system, not a file to replace; give a path for a file{(option == "--json" ? ", or - for stdout" : "")}");
        }
        string folder = Path.GetDirectoryName(full) ?? full;
        if (!Directory.Exists(folder))
        {
            throw new UsageException($"{option} {path}: there is no folder '{folder}'; create it or choose another path");
        }
        foreach (string? input in inputs)
        {
            if (input is not null && Path.GetFullPath(input) == full)
            {
                throw new UsageException($"{option} {path}: this file is read by the same command and would be overwritten; choose another path");
            }
        }
    }

    /// <summary>Checks that no two outputs go to one file.</summary>
    /// <exception cref="UsageException">Two do.</exception>
    public static void RequireDistinct(params ReadOnlySpan<(string Option, string? Path)> outputs)
    {
        Dictionary<string, string> taken = [];
        foreach ((string option, string? path) in outputs)
        {
            if (path is not (null or "" or "-") && !taken.TryAdd(Path.GetFullPath(path), option))
            {
                throw new UsageException($"{option} {path}: {taken[Path.GetFullPath(path)]} goes to the same file; give each its own");
            }
        }
    }

    /// <summary>/dev/shm holds ordinary files, in memory.</summary>
    private static bool IsSystem(string full) =>
        SystemFolders.Any(folder => full.StartsWith(folder, StringComparison.Ordinal)) && !full.StartsWith("/dev/shm/", StringComparison.Ordinal);

    private static string Target(string full)
    {
        try
        {
            return File.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full;
        }
        catch (IOException)
        {
            return full; // there is nothing yet, or a link that leads nowhere
        }
    }

    /// <summary>Writes a text file whole or not at all.</summary>
    public static void WriteText(string path, string text)
    {
        string temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            File.WriteAllText(temporary, text);
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }
}
