namespace Fathom.Cli;

/// <summary>Checks before any work is done that a file can be written where it was asked for.</summary>
internal static class OutputPath
{
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
