namespace Fathom.Cli;

/// <summary>What the process returns, as linters do.</summary>
public static class ExitStatus
{
    /// <summary>No finding at or above the level that was asked for.</summary>
    public const int Clean = 0;

    /// <summary>There are findings, or the run was interrupted.</summary>
    public const int Findings = 1;

    /// <summary>Bad usage or bad input; one line on stderr says what, where, and what would be right.</summary>
    public const int BadInput = 2;
}
