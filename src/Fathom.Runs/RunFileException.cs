namespace Fathom.Runs;

/// <summary>
/// A run file cannot be opened, read or written. The message is one line fit for a user: which file, what is wrong
/// with it, and what would be right.
/// </summary>
public sealed class RunFileException : IOException
{
    public RunFileException(string message)
        : base(message)
    {
    }

    public RunFileException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>SQLite's extended result code, or 0 when SQLite was not the one to object.</summary>
    public int SqliteCode { get; init; }
}
