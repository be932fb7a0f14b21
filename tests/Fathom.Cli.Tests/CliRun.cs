using System.Diagnostics;

namespace Fathom.Cli.Tests;

/// <summary>One command run within the test's process.</summary>
internal sealed record CliRun(int Status, string Output, string Error)
{
    public static CliRun Of(params string[] args) => Of(CancellationToken.None, args);

    public static CliRun Of(CancellationToken cancellation, params string[] args)
    {
        StringWriter output = new(), error = new();
        return new CliRun(CommandLine.Run(args, output, error, cancellation), output.ToString(), error.ToString());
    }

    /// <summary>Starts the program itself, which a test can send signals to.</summary>
    public static Process Start(params string[] args)
    {
        ProcessStartInfo start = new("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in args.Prepend(typeof(CommandLine).Assembly.Location))
        {
            start.ArgumentList.Add(argument);
        }
        return Process.Start(start)!;
    }

    /// <summary>The command failed as bad input does: status 2, one line on stderr, no stack trace.</summary>
    public string RequireOneLineError()
    {
        Assert.True(Status == ExitStatus.BadInput, $"status {Status}\n{Output}\n{Error}");
        string line = Assert.Single(Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("fathom: ", line);
        Assert.DoesNotContain("   at ", line);
        Assert.DoesNotContain("bug in Fathom", line);
        return line;
    }
}
