using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Reflection;
using Fathom.Cli.Rendering;
using Fathom.Cli.Verbs;
using Fathom.Formats;
using Fathom.Training;

namespace Fathom.Cli;

/// <summary>The command line as a function, so that tests can call it without a process.</summary>
public static class CommandLine
{
    /// <summary>Version of the program, such as <c>0.1.0</c>.</summary>
    public static string Version { get; } =
        typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0.0.0";

    /// <summary>Runs one command.</summary>
    /// <param name="args">As given after the program's name.</param>
    /// <param name="output">Receives results.</param>
    /// <param name="error">Receives one line per error.</param>
    /// <param name="cancellation">Ends training in good order after the step in hand.</param>
    /// <param name="interactive">Whether <paramref name="output"/> is a terminal: colour and progress bars.</param>
    /// <returns>An <see cref="ExitStatus"/>.</returns>
    public static int Run(string[] args, TextWriter output, TextWriter error, CancellationToken cancellation = default, bool interactive = false)
    {
        Terminal terminal = new(output, error, interactive);
        try
        {
            ParseResult parsed = Commands(terminal, cancellation).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (parsed.Errors.Count > 0 && parsed.Action is not (HelpAction or VersionAction))
            {
                throw new UsageException(Explain(parsed));
            }
            return parsed.Invoke(new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
        }
        catch (Exception failure)
        {
            return Failures.Report(failure, error);
        }
    }

    /// <summary>Whether a command has something to finish when it is interrupted: the run that it records.</summary>
    public static bool EndsInGoodOrder(string[] args) => args is ["train" or "fix" or "map", ..];

    /// <summary>Whether a command is going to measure a batch, which a rehearsal makes quicker.</summary>
    public static bool Measures(string[] args) => args is ["check", _, ..] && !args.Contains("--theory") && !args.Contains("--help");

    private static RootCommand Commands(Terminal terminal, CancellationToken cancellation)
    {
        RootCommand root = new("Fathom sounds the depth of a neural network: it tells where the gradient dies or blows up, why, and mends it, with proof.")
        {
            CheckVerb.Create(terminal),
            TrainVerb.Create(terminal, cancellation),
            FixVerb.Create(terminal, cancellation),
            TraceVerb.Create(terminal),
            MapVerb.Create(terminal, cancellation),
            ReportVerb.Create(terminal),
            ExplainVerb.Create(terminal),
        };
        root.Options.OfType<VersionOption>().Single().Action = new VersionAction();
        root.SetAction(NoCommand);
        return root;
    }

    private static int NoCommand(ParseResult parsed)
    {
        new HelpAction().Invoke(parsed);
        throw new UsageException($"no command is given; known are {string.Join(", ", parsed.RootCommandResult.Command.Subcommands.Select(command => command.Name))}");
    }

    private static string Explain(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        string name = command is RootCommand ? "fathom" : $"fathom {command.Name}";
        if (parsed.UnmatchedTokens is [var token, ..])
        {
            bool option = token.StartsWith('-');
            string what = option ? "option" : command is RootCommand ? "command" : "argument";
            IEnumerable<string> known = option ? command.Options.Select(item => item.Name) : command.Subcommands.Select(item => item.Name);
            string hint = Spelling.Nearest(token, known) is { } near ? $"; nearest is '{near}'" : command is RootCommand ? $"; known are {string.Join(", ", known)}" : "";
            return $"unknown {what} '{token}'{hint}; see {name} --help";
        }
        if (parsed.CommandResult.Children.OfType<ArgumentResult>().FirstOrDefault(item => item.Tokens.Count == 0) is { } missing)
        {
            return $"{missing.Argument.Name} is missing: {missing.Argument.Description}; see {name} --help";
        }
        ParseError error = parsed.Errors[0];
        string message = error.Message.TrimEnd('.');
        return $"{char.ToLowerInvariant(message[0])}{message[1..]}; see {name} --help";
    }

    private sealed class VersionAction : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            parseResult.InvocationConfiguration.Output.WriteLine($"fathom {Version}");
            return ExitStatus.Clean;
        }
    }
}
