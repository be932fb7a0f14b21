using Fathom.Diagnosis;
using Fathom.Diagnosis.Monitoring;

namespace Fathom.Cli.Rendering;

/// <summary>Findings in words.</summary>
internal static class FindingText
{
    /// <summary>Prints each finding at the step at which it becomes certain, changes or no longer holds.</summary>
    public static void Follow(Terminal terminal, TrainingMonitor monitor)
    {
        monitor.Found += finding => Write(terminal, finding);
        monitor.Changed += (finding, step) =>
        {
            terminal.Line($"step {step}: {finding.Rule} {finding.Problem} now has the severity {finding.Severity.ToString().ToLowerInvariant()} and the cause {finding.Cause}", ToneOf(finding.Severity));
            Write(terminal, finding);
        };
        monitor.Withdrawn += (finding, step) => terminal.Line($"step {step}: {finding.Rule} {finding.Problem} no longer holds", Tone.Dim);
    }

    public static void Write(Terminal terminal, Finding finding)
    {
        string step = finding.Step < 0 ? "before training" : $"step {finding.Step}";
        terminal.Line();
        terminal.Line([
            ($"{finding.Severity.ToString().ToLowerInvariant()} {finding.Rule}", ToneOf(finding.Severity)),
            ($" {finding.Problem}", Tone.Heading),
            ($"  ({step}, cause {finding.Cause}, confidence {Figures.Percent(finding.Confidence)})", Tone.Dim),
        ]);
        terminal.Line($"  {finding.Explanation}");
        if (finding.Layers.Length > 0)
        {
            terminal.Line($"  layers: {Layers(finding)}", Tone.Dim);
        }
        foreach (string rival in finding.RuledOut)
        {
            terminal.Line($"  ruled out: {rival}", Tone.Dim);
        }
        if (finding.Remedies.Length > 0)
        {
            terminal.Line($"  may help: {string.Join(", ", finding.Remedies)}", Tone.Dim);
        }
    }

    public static Tone ToneOf(Severity severity) => severity switch
    {
        Severity.Error => Tone.Bad,
        Severity.Warning => Tone.Warning,
        _ => Tone.Dim,
    };

    private static string Layers(Finding finding) => finding.Layers.Length <= 6
        ? string.Join(", ", finding.Layers)
        : $"{finding.Layers[0]}, {finding.Layers[1]} … {finding.Layers[^1]} ({finding.Layers.Length})";
}
