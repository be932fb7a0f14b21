using Fathom.Diagnosis;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Rules;
using Fathom.Training;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Rendering;

/// <summary>Findings in words: what and where, what is wrong, what to do; the rest on request.</summary>
internal static class FindingText
{
    /// <summary>Layers that a header names one by one.</summary>
    private const int MostNamed = 3;

    /// <summary>Prints what model and data show, and each finding of training at the step at which it becomes certain, changes or no longer holds.</summary>
    public static void Follow(Terminal terminal, WatchedRun run)
    {
        Teller teller = new(terminal, run);
        foreach (Finding finding in run.Foreseen.Where(finding => finding.Severity > Severity.Info || terminal.Verbose))
        {
            teller.TellBefore(finding);
        }
        TrainingMonitor monitor = run.Monitor;
        monitor.Found += finding =>
        {
            if (IsShown(terminal, finding))
            {
                teller.Tell(finding, finding.Step, changed: false);
            }
        };
        monitor.Changed += (finding, step) => teller.Tell(finding, step, changed: true);
        monitor.Withdrawn += (finding, step) =>
        {
            if (IsShown(terminal, finding))
            {
                terminal.Line($"step {step}: {finding.Rule} {finding.Problem} no longer holds", Tone.Dim);
            }
        };
    }

    /// <summary>Tells a finding in full once, and in a line after that; one that another has brought about is told as that.</summary>
    private sealed class Teller(Terminal terminal, WatchedRun run)
    {
        private readonly HashSet<(string Rule, Severity Severity, string Cause)> told = [];
        private readonly HashSet<string> explained = [];

        public void TellBefore(Finding finding)
        {
            Write(terminal, finding);
            explained.Add(finding.Explanation);
        }

        public void Tell(Finding finding, long step, bool changed)
        {
            Finding? cause = run.CauseOf(finding);
            bool first = told.Add((finding.Rule, finding.Severity, finding.Cause));
            if (cause is not null && told.Add((cause.Rule, cause.Severity, cause.Cause)) && cause.Severity >= finding.Severity && (cause.Step >= 0 || finding.Severity == Severity.Error))
            {
                terminal.Line();
                Header(terminal, cause, "", step);
                if (explained.Add(cause.Explanation) || terminal.Verbose)
                {
                    Body(terminal, cause, "");
                }
                else
                {
                    terminal.Line($"  {BringsAbout(cause)}", Tone.Dim);
                }
            }
            else if (first && cause is not null && cause.Severity >= finding.Severity)
            {
                terminal.Line($"step {step}: {finding.Severity.ToString().ToLowerInvariant()} {finding.Rule} {finding.Problem}{(finding.Layers.IsEmpty ? "" : $" ({Layers(finding)})")}, which {cause.Rule} {cause.Problem} has brought about", ToneOf(finding.Severity));
            }
            else if (first)
            {
                terminal.Line();
                Write(terminal, finding, "", changed ? step : -1);
            }
            else
            {
                terminal.Line(changed ? $"step {step}: {finding.Rule} {finding.Problem} is {Noun(finding.Severity)} now, cause {finding.Cause}"
                    : $"step {step}: {finding.Rule} {finding.Problem} holds again", ToneOf(finding.Severity));
            }
            Announce(terminal, run, finding, step);
        }
    }

    /// <summary>Whether a finding is for every reader: that fp16 would lose something is not for one who has not asked for it.</summary>
    public static bool IsShown(Terminal terminal, Finding finding) => terminal.Verbose || finding.Severity > Severity.Info || finding.Rule != NarrowFormat.RuleId;

    /// <summary>When the run will be ended on account of an error, if it stands until then.</summary>
    private static void Announce(Terminal terminal, WatchedRun run, Finding finding, long step)
    {
        if (finding.Severity == Severity.Error && run.OnFinding is FindingAction.Stop or FindingAction.Rollback && !finding.IsFinal && run.Monitor.InErrorSince < 0)
        {
            terminal.Line($"  the run {(run.OnFinding == FindingAction.Stop ? "stops" : "goes back")} at step {step + run.Monitor.StepsToStand} if there is an error without a break until then", Tone.Dim);
        }
    }

    public static void Write(Terminal terminal, Finding finding)
    {
        terminal.Line();
        Write(terminal, finding, "");
    }

    /// <param name="terminal">Where to.</param>
    /// <param name="finding">What was found.</param>
    /// <param name="indent">What each line begins with.</param>
    /// <param name="changed">The step at which it became what it says now; −1 for that at which it was found.</param>
    private static void Write(Terminal terminal, Finding finding, string indent, long changed = -1)
    {
        Header(terminal, finding, indent, changed);
        Body(terminal, finding, indent);
    }

    private static void Header(Terminal terminal, Finding finding, string indent, long changed)
    {
        string found = finding.Step < 0 ? "before training" : $"step {finding.Step}";
        string step = changed > finding.Step ? $"step {changed}, first seen {(finding.Step < 0 ? found : $"at {found}")}" : found;
        string layers = finding.Layers.IsEmpty ? "" : $", {Layers(finding)}";
        terminal.Line([
            ($"{indent}{finding.Severity.ToString().ToLowerInvariant()} {finding.Rule}", ToneOf(finding.Severity)),
            ($" {finding.Problem}", Tone.Heading),
            ($"  ({step}{layers}, cause {finding.Cause}, confidence {Percent(Math.Round(finding.Confidence, 2))})", Tone.Dim),
        ]);
    }

    private static void Body(Terminal terminal, Finding finding, string indent)
    {
        terminal.Line($"{indent}  {finding.Explanation}");
        if (finding.Action.Length > 0)
        {
            terminal.Line($"{indent}  {finding.Action}");
        }
        if (terminal.Verbose)
        {
            WriteMore(terminal, finding, indent);
        }
        else if (!finding.Consequences.IsEmpty)
        {
            terminal.Line($"{indent}  {BringsAbout(finding)}", Tone.Dim);
        }
    }

    /// <summary>« (brought about by FTH013 unscaled inputs)», or nothing for a finding that stands for itself.</summary>
    public static string BroughtAboutBy(WatchedRun run, Finding finding) => run.CauseOf(finding) is { } cause ? $" (brought about by {cause.Rule} {cause.Problem})" : "";

    private static string Noun(Severity severity) => severity switch { Severity.Error => "an error", Severity.Warning => "a warning", _ => "a note" };

    /// <summary>«which brings about: saturated activation (FTH003), vanishing gradient (FTH001)».</summary>
    public static string BringsAbout(Finding finding) => $"which brings about: {string.Join(", ", finding.Consequences.Select(effect => $"{effect.Problem} ({effect.Rule})"))}";

    /// <summary>Where to read more.</summary>
    public static void Hint(Terminal terminal, IReadOnlyList<Finding> findings)
    {
        if (findings.Count > 0)
        {
            terminal.Line($"more: {(terminal.Verbose ? "" : "--verbose, or ")}fathom explain {findings[0].Rule}", Tone.Dim);
        }
    }

    public static Tone ToneOf(Severity severity) => severity switch
    {
        Severity.Error => Tone.Bad,
        Severity.Warning => Tone.Warning,
        _ => Tone.Dim,
    };

    /// <summary>How it comes about, the evidence, the rivals, what may help, and what it brings about in full.</summary>
    private static void WriteMore(Terminal terminal, Finding finding, string indent)
    {
        if (finding.Details.Length > 0)
        {
            terminal.Line($"{indent}  {finding.Details}", Tone.Dim);
        }
        if (finding.Layers.Length > MostNamed)
        {
            terminal.Line($"{indent}  layers: {string.Join(", ", finding.Layers)}", Tone.Dim);
        }
        TextTable evidence = new($"{indent}  evidence", "measured", "expected");
        foreach ((string name, Evidence value) in finding.Evidence)
        {
            evidence.Add(Tone.Dim, $"{indent}  {name.Replace('_', ' ')}", Number(value.Measured), double.IsNaN(value.Expected) ? "–" : Number(value.Expected));
        }
        if (!finding.Evidence.IsEmpty)
        {
            evidence.Write(terminal);
        }
        foreach (string rival in finding.RuledOut)
        {
            terminal.Line($"{indent}  ruled out: {rival}", Tone.Dim);
        }
        if (finding.Remedies.Length > 0)
        {
            terminal.Line($"{indent}  may help: {string.Join(", ", finding.Remedies)}", Tone.Dim);
        }
        foreach (Finding effect in finding.Consequences)
        {
            terminal.Line($"{indent}  which brings about:", Tone.Dim);
            Write(terminal, effect, indent + "    ");
        }
    }

    private static string Layers(Finding finding) => finding.Layers.Length <= MostNamed
        ? string.Join(", ", finding.Layers)
        : $"{finding.Layers[0]} … {finding.Layers[^1]} ({finding.Layers.Length} layers)";
}
