using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fathom.Diagnosis;

/// <summary>Findings as JSON, for run files and for <c>--json</c>.</summary>
public static class FindingJson
{
    public static string Write(Finding finding) => ToNode(finding).ToJsonString();

    public static JsonObject ToNode(Finding finding)
    {
        JsonObject evidence = [];
        foreach ((string name, Evidence value) in finding.Evidence)
        {
            evidence[name] = new JsonObject { ["measured"] = Number(value.Measured), ["expected"] = Number(value.Expected) };
        }
        return new JsonObject
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
            ["ruled_out"] = new JsonArray([.. finding.RuledOut.Select(text => (JsonNode)text)]),
            ["remedies"] = new JsonArray([.. finding.Remedies.Select(kind => (JsonNode)kind)]),
        };
    }

    /// <summary>JSON has no NaN or infinity: NaN is null, an infinity a word.</summary>
    public static JsonNode? Number(double value) => value switch
    {
        double.NaN => null,
        double.PositiveInfinity => "Infinity",
        double.NegativeInfinity => "-Infinity",
        _ => JsonValue.Create(value),
    };
}
