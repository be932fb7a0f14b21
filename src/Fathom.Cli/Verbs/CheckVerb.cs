using System.CommandLine;
using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Cli.Verbs.Check;

namespace Fathom.Cli.Verbs;

/// <summary><c>fathom check MODEL</c>: what theory expects of the network and what one batch shows, without training it.</summary>
internal static class CheckVerb
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("check", "Look before training: what theory expects of signal and gradient in each layer, what one batch shows over several draws of the weights, and what the first step would do. Nothing is trained and nothing is kept.");
        ModelArguments arguments = new(command, trains: false);
        Option<bool> theory = new("--theory") { Description = "Theory only: allocates no weights, measures nothing." };
        Option<int?> seeds = Numbers.Option("--seeds", "Draws of the weights to measure (default: 5, or fewer if that would take long).", 1, most: 1000);
        Option<string?> weights = new("--weights") { HelpName = "FILE", Description = "Measure these weights in place of drawn ones: safetensors with every parameter by name, or a checkpoint." };
        Option<bool> spectrum = new("--spectrum") { Description = "Measure also singular values of the Jacobian between layers, how alike samples and their gradients are, and dead units." };
        Option<bool> range = new("--lr-range") { Description = "Learning-rate range test: trains a copy for 200 steps at a rate that grows from 1e-6 to 10, and suggests a range." };
        Option<bool> verbose = new("--verbose") { Description = "Show every layer and every correlation, and of each finding how it comes about, the evidence, what was ruled out and what may help." };
        Option<string> failOn = FailOn.Option();
        Option<int?> threads = Workers.Option();
        Option<string?> json = ResultJson.Option();
        Option<bool> quiet = new("--quiet") { Description = "Print nothing; the exit status and --json tell the result." };
        foreach (Option option in (Option[])[theory, seeds, weights, spectrum, range, verbose, failOn, threads, json, quiet])
        {
            command.Options.Add(option);
        }
        ScalingChecks scaling = new(command);
        command.SetAction(parsed =>
        {
            Quiet(terminal, parsed.GetValue(quiet));
            CheckSettings settings = new()
            {
                TheoryOnly = parsed.GetValue(theory),
                Seeds = parsed.GetValue(seeds),
                Weights = parsed.GetValue(weights),
                Spectrum = parsed.GetValue(spectrum),
                LearningRateRange = parsed.GetValue(range),
                Verbose = parsed.GetValue(verbose),
                FailOn = parsed.GetRequiredValue(failOn),
                Threads = parsed.GetValue(threads),
                Json = parsed.GetValue(json),
            };
            settings.Validate();
            terminal.Verbose = settings.Verbose;
            if (scaling.IsAsked(parsed))
            {
                ResultJson.Prepare(settings.Json, terminal, parsed.GetRequiredValue(arguments.Model));
                return scaling.Run(parsed, arguments.LoadModel(parsed, terminal), settings.Seeds, settings.Threads, settings.Json, terminal);
            }
            ResultJson.Prepare(settings.Json, terminal, parsed.GetRequiredValue(arguments.Model), settings.Weights);
            return new CheckRun(arguments.LoadModel(parsed, terminal), settings, terminal).Run();
        });
        return command;
    }

    internal static void Quiet(Terminal terminal, bool quiet)
    {
        if (quiet)
        {
            terminal.Silence();
        }
    }
}
