namespace Fathom.Dashboard;

/// <summary>A report cannot be written. The message is one line: which file, what is wrong, and what would be right.</summary>
public sealed class ReportException : IOException
{
    public ReportException(string message)
        : base(message)
    {
    }

    public ReportException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
