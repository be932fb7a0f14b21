using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fathom.Diagnosis;

/// <summary>Findings as JSON, for run files and for <c>--json</c>.</summary>
public static class FindingJson
{
    public static string Write(Finding finding) => ToNode(finding).ToJsonString();

    /// <summary>An array of findings.</summary>
    public static string Write(IEnumerable<Finding> findings) => new JsonArray([.. findings.Select(ToNode)]).ToJsonString();

    public static JsonObject ToNode(Finding finding)
    {
        JsonObject evidence = [];
        foreach ((string name, Evidence value) in finding.Evidence)
        {
            evidence[name] = new JsonObject { ["measured"] = Number(value.Measured), ["expected"] = Number(value.Expected) };
        }
        JsonObject node = new()
        {
            ["rule"] = finding.Rule,
            ["problem"] = finding.Problem,
            ["severity"] = finding.Severity.ToString().ToLowerInvariant(),
            ["cause"] = finding.Cause,
            ["layers"] = new JsonArray([.. finding.Layers.Select(layer => (JsonNode)layer)]),
            ["step"] = finding.Step,
            ["confidence"] = finding.Confidence,
            ["evidence"] = evidence,
            ["explanation"] = finding.Explanation,
            ["action"] = finding.Action,
            ["details"] = finding.Details,
            ["ruled_out"] = new JsonArray([.. finding.RuledOut.Select(text => (JsonNode)text)]),
            ["remedies"] = new JsonArray([.. finding.Remedies.Select(kind => (JsonNode)kind)]),
        };
        if (!finding.Consequences.IsEmpty)
        {
            node["consequences"] = new JsonArray([.. finding.Consequences.Select(ToNode)]);
        }
        return node;
    }

    /// <summary>A finding as <see cref="ToNode"/> wrote it.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static Finding Read(JsonNode? node)
    {
        try
        {
            JsonObject finding = node!.AsObject();
            return new Finding
            {
                Rule = Text(finding["rule"]),
                Problem = Text(finding["problem"]),
                Severity = Enum.Parse<Severity>(Text(finding["severity"]), ignoreCase: true),
                Cause = Text(finding["cause"]),
                Layers = Texts(finding["layers"]),
                Step = finding["step"]!.GetValue<long>(),
                Confidence = finding["confidence"]!.GetValue<double>(),
                Evidence = finding["evidence"]!.AsObject().ToImmutableSortedDictionary(pair => pair.Key, pair => new Evidence(Number(pair.Value!["measured"]), Number(pair.Value["expected"]))),
                Explanation = Text(finding["explanation"]),
                Action = TextOrNone(finding["action"]),
                Details = TextOrNone(finding["details"]),
                RuledOut = Texts(finding["ruled_out"]),
                Remedies = Texts(finding["remedies"]),
                Consequences = finding["consequences"] is JsonArray consequences ? [.. consequences.Select(Read)] : [],
            };
        }
        catch (Exception error) when (error is NullReferenceException or InvalidOperationException or ArgumentException)
        {
            throw new FormatException($"no finding: {error.Message}");
        }
    }

    /// <summary>A number as <see cref="Number(double)"/> wrote it.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static double Number(JsonNode? node) => node switch
    {
        null => double.NaN,
        JsonValue value when value.TryGetValue(out double number) => number,
        JsonValue value when value.TryGetValue(out string? word) && word is "Infinity" or "-Infinity" => node.GetValue<string>() == "Infinity" ? double.PositiveInfinity : double.NegativeInfinity,
        _ => throw new FormatException($"{node.ToJsonString()} is no number"),
    };

    private static string Text(JsonNode? node) => node!.GetValue<string>();

    /// <summary>Runs that were written before there was such a text have none.</summary>
    private static string TextOrNone(JsonNode? node) => node is null ? "" : Text(node);

    private static ImmutableArray<string> Texts(JsonNode? node) => [.. node!.AsArray().Select(Text)];

    /// <summary>JSON has no NaN or infinity: NaN is null, an infinity a word.</summary>
    public static JsonNode? Number(double value) => value switch
    {
        double.NaN => null,
        double.PositiveInfinity => "Infinity",
        double.NegativeInfinity => "-Infinity",
        _ => JsonValue.Create(value),
    };
}
