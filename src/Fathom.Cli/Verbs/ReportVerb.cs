using System.CommandLine;
using Fathom.Cli.Rendering;
using Fathom.Dashboard;

namespace Fathom.Cli.Verbs;

/// <summary><c>fathom report RUN</c>: a run as one HTML page.</summary>
internal static class ReportVerb
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("report", "Write a recorded run as one HTML page that needs no other file.");
        Argument<string> run = new("RUN") { Description = "A file that 'fathom train --run' or 'fathom fix --run' wrote; it may still be written." };
        Option<string?> output = new("--out") { HelpName = "FILE", Description = "The page (default: RUN with the ending .html)." };
        Option<bool> quiet = new("--quiet") { Description = "Print nothing." };
        command.Arguments.Add(run);
        command.Options.Add(output);
        command.Options.Add(quiet);
        command.SetAction(parsed =>
        {
            CheckVerb.Quiet(terminal, parsed.GetValue(quiet));
            string file = parsed.GetRequiredValue(run);
            string page = parsed.GetValue(output) ?? Path.ChangeExtension(file, ".html");
            OutputPath.Require(page, "--out", file);
            Report.Write(file, page);
            terminal.Line($"written: {page}");
            return ExitStatus.Clean;
        });
        return command;
    }
}
