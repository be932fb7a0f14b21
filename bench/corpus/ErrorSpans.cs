using System.Collections.Immutable;
using System.Globalization;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Monitoring;

namespace Fathom.Corpus;

/// <summary>A stretch of a run in which a rule's finding was an error.</summary>
/// <param name="Rule">The rule.</param>
/// <param name="Cause">The cause that it named at first.</param>
/// <param name="From">Step at which it became an error.</param>
/// <param name="To">Step at which it was withdrawn or became less; null if it held to the end.</param>
internal sealed record ErrorSpan(string Rule, string Cause, long From, long? To)
{
    public string Text(long steps) => string.Create(CultureInfo.InvariantCulture, $"{Rule} {Cause} {Share(From, steps)}–{(To is { } end ? Share(end, steps) : "end")}");

    private static string Share(long step, long steps) => (100.0 * Math.Max(0, step) / steps).ToString("0.#", CultureInfo.InvariantCulture) + "%";
}

/// <summary>Writes down when errors came and went, to see which are withdrawn.</summary>
internal sealed class ErrorSpans
{
    private readonly Dictionary<string, ErrorSpan> open = [];
    private readonly List<ErrorSpan> closed = [];

    public ErrorSpans(TrainingMonitor monitor)
    {
        monitor.Found += finding => Take(finding, finding.Step);
        monitor.Changed += Take;
        monitor.Stood += (_, step) => Stood ??= step;
        monitor.Withdrawn += (finding, step) => Close(finding.Rule, step);
    }

    /// <summary>Step at which the first of them had stood long enough to act on it; null if none has.</summary>
    public long? Stood { get; private set; }

    public ImmutableArray<ErrorSpan> All => [.. closed.Concat(open.Values).OrderBy(span => span.From)];

    private void Take(Finding finding, long step)
    {
        if (finding.Severity != Severity.Error)
        {
            Close(finding.Rule, step);
        }
        else
        {
            open.TryAdd(finding.Rule, new ErrorSpan(finding.Rule, finding.Cause, step, null));
        }
    }

    private void Close(string rule, long step)
    {
        if (open.Remove(rule, out ErrorSpan? span))
        {
            closed.Add(span with { To = step });
        }
    }
}
