using System.CommandLine;
using Fathom.Diagnosis;

namespace Fathom.Cli;

/// <summary>From which severity on findings make the exit status 1.</summary>
internal static class FailOn
{
    private const string Never = "never";

    public static Option<string> Option()
    {
        Option<string> option = new("--fail-on") { HelpName = "LEVEL", Description = "Least severity that makes the exit status 1: error, warning, info or never.", DefaultValueFactory = _ => "error" };
        option.AcceptOnlyFromAmong("error", "warning", "info", Never);
        return option;
    }

    public static int Status(string level, IEnumerable<Finding> findings) =>
        level != Never && findings.Any(finding => finding.Severity >= Enum.Parse<Severity>(level, ignoreCase: true)) ? ExitStatus.Findings : ExitStatus.Clean;
}
