using System.Text.Json;
using Fathom.Runs;

namespace Fathom.Dashboard.Reporting;

/// <summary>A measured number beside what it should be; NaN where there is none.</summary>
internal sealed record ReportedEvidence(string Name, double Measured, double Expected);

/// <summary>A finding as the run file has it.</summary>
internal sealed record ReportedFinding
{
    private static readonly string[] Severities = ["info", "warning", "error"];

    public required string Rule { get; init; }

    public required string Severity { get; init; }

    public required string Cause { get; init; }

    public required long Step { get; init; }

    public required double Confidence { get; init; }

    public string Problem { get; init; } = "";

    public string Explanation { get; init; } = "";

    public string Action { get; init; } = "";

    public string Details { get; init; } = "";

    /// <summary>What it has brought about, in a few words each.</summary>
    public IReadOnlyList<string> Consequences { get; init; } = [];

    public IReadOnlyList<string> Layers { get; init; } = [];

    public IReadOnlyList<ReportedEvidence> Evidence { get; init; } = [];

    public IReadOnlyList<string> RuledOut { get; init; } = [];

    public IReadOnlyList<string> Remedies { get; init; } = [];

    /// <summary>The step at which it no longer held; null while it holds.</summary>
    public long? WithdrawnAt { get; init; }

    /// <summary>2 for an error, 1 for a warning, 0 for the rest.</summary>
    public int Weight => Math.Max(0, Array.IndexOf(Severities, Severity));

    /// <summary>The problem, or where the run file doesn't name it, the cause.</summary>
    public string Title => Problem.Length != 0 ? Problem : Cause;

    public string StepText => Step < 0 ? "before training" : "step " + NumberText.Count(Step);

    /// <summary>«dense_1», or «dense_1 to dense_9 (9 layers)».</summary>
    public string LayerText => Layers.Count switch
    {
        0 => "the whole network",
        1 => Layers[0],
        2 => $"{Layers[0]} and {Layers[1]}",
        _ => $"{Layers[0]} to {Layers[^1]} ({Layers.Count} layers)",
    };

    /// <summary>Those that still hold first, causes before what they bring about; then those that were withdrawn, the severest first.</summary>
    /// <param name="rows">Findings as they came.</param>
    /// <param name="events">Say which were withdrawn.</param>
    /// <param name="diagnosis">How those that hold hang together; null in runs of earlier versions, where each stands for itself.</param>
    public static IReadOnlyList<ReportedFinding> ReadAll(IReadOnlyList<FindingRow> rows, IReadOnlyList<EventRow> events, string? diagnosis)
    {
        ReportedFinding[] findings = [.. rows.Select(Read)];
        foreach (EventRow withdrawal in events.Where(one => one.Kind == "withdrawn"))
        {
            int last = Array.FindLastIndex(findings, one => one.Step <= withdrawal.Step && withdrawal.Text.StartsWith(one.Rule + " ", StringComparison.Ordinal));
            if (last >= 0)
            {
                findings[last] = findings[last] with { WithdrawnAt = withdrawal.Step };
            }
        }

        IEnumerable<ReportedFinding> ordered = findings.OrderBy(one => one.WithdrawnAt is null ? 0 : 1).ThenByDescending(one => one.Weight).ThenBy(one => one.Step);
        return ReadLinked(diagnosis) is { } linked ? [.. linked, .. ordered.Where(one => one.WithdrawnAt is not null)] : [.. ordered];
    }

    private static IReadOnlyList<ReportedFinding>? ReadLinked(string? diagnosis)
    {
        if (diagnosis is null)
        {
            return null;
        }
        try
        {
            using JsonDocument document = JsonDocument.Parse(diagnosis);
            return document.RootElement.ValueKind != JsonValueKind.Array ? null
                : [.. document.RootElement.EnumerateArray().Where(one => one.ValueKind == JsonValueKind.Object).Select(one => Fill(new ReportedFinding
                {
                    Rule = Text(one, "rule"), Severity = Text(one, "severity"), Cause = Text(one, "cause"), Step = (long)Number(one, "step"), Confidence = Number(one, "confidence"),
                }, one))];
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>What the JSON lacks or has in another shape stays empty: other programs write run files too.</summary>
    public static ReportedFinding Read(FindingRow row)
    {
        ReportedFinding finding = new()
        {
            Rule = row.Rule, Severity = row.Severity.ToLowerInvariant(), Cause = row.Cause, Step = row.Step, Confidence = row.Confidence,
        };
        try
        {
            using JsonDocument document = JsonDocument.Parse(row.Json);
            JsonElement root = document.RootElement;
            return root.ValueKind != JsonValueKind.Object ? finding : Fill(finding, root);
        }
        catch (JsonException)
        {
            return finding;
        }
    }

    private static ReportedFinding Fill(ReportedFinding finding, JsonElement root) => finding with
    {
        Problem = Text(root, "problem"),
        Explanation = Text(root, "explanation"),
        Action = Text(root, "action"),
        Details = Text(root, "details"),
        Consequences = ReadConsequences(root),
        Layers = Texts(root, "layers"),
        RuledOut = Texts(root, "ruled_out"),
        Remedies = Texts(root, "remedies"),
        Evidence = ReadEvidence(root),
    };

    private static IReadOnlyList<ReportedEvidence> ReadEvidence(JsonElement root)
    {
        if (!root.TryGetProperty("evidence", out JsonElement evidence) || evidence.ValueKind != JsonValueKind.Object)
        {
            return [];
        }

        return [.. evidence.EnumerateObject().Select(one => one.Value.ValueKind == JsonValueKind.Object
            ? new ReportedEvidence(one.Name, Number(one.Value, "measured"), Number(one.Value, "expected"))
            : new ReportedEvidence(one.Name, Number(one.Value), double.NaN))];
    }

    private static IReadOnlyList<string> ReadConsequences(JsonElement root) =>
        root.TryGetProperty("consequences", out JsonElement value) && value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Where(one => one.ValueKind == JsonValueKind.Object).Select(one => $"{Text(one, "rule")} {Text(one, "problem")}: {Text(one, "explanation")}")]
            : [];

    private static string Text(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static IReadOnlyList<string> Texts(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Where(one => one.ValueKind == JsonValueKind.String).Select(one => one.GetString()!)]
            : [];

    private static double Number(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) ? Number(value) : double.NaN;

    /// <summary>JSON has no infinities: they are words there.</summary>
    private static double Number(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => value.GetDouble(),
        JsonValueKind.String => value.GetString() switch { "Infinity" => double.PositiveInfinity, "-Infinity" => double.NegativeInfinity, _ => double.NaN },
        _ => double.NaN,
    };
}
