using System.CommandLine;
using Fathom.Training;

namespace Fathom.Cli.Arguments;

/// <summary>What a run does at a finding of severity error.</summary>
internal static class OnFinding
{
    public static Option<string?> Option()
    {
        Option<string?> option = new("--on-finding")
        {
            HelpName = "ACTION",
            Description = "What to do at an error that has stood for 3 % of the run, or that training cannot end: report it, warn on stderr too, stop there, or rollback to the last healthy state and stop (default: the model file's on_finding, else report).",
        };
        option.AcceptOnlyFromAmong([.. Enum.GetNames<FindingAction>().Select(name => name.ToLowerInvariant())]);
        return option;
    }

    public static FindingAction? Read(string? word) => word is null ? null : Enum.Parse<FindingAction>(word, ignoreCase: true);
}
