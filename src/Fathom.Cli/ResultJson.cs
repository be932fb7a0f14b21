using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fathom.Cli.Rendering;
using Fathom.Diagnosis;
using Fathom.Training.Losses;

namespace Fathom.Cli;

/// <summary>The machine-readable result, schema <c>fathom/1</c>; docs/command-line.md describes it.</summary>
internal static class ResultJson
{
    private const string Schema = "fathom/1";

    private static readonly JsonSerializerOptions Layout = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Option<string?> Option() => new("--json") { HelpName = "FILE", Description = "Write the result as JSON (schema fathom/1); - for stdout, which then carries nothing else." };

    /// <summary>Checks the path, and keeps stdout free if that is where the JSON goes.</summary>
    public static void Prepare(string? path, Terminal terminal, params ReadOnlySpan<string?> inputs)
    {
        if (path == "-")
        {
            terminal.ReserveOutput();
        }
        else
        {
            OutputPath.Require(path, "--json", inputs);
        }
    }

    /// <param name="path">File, <c>-</c> for stdout, or null for nowhere.</param>
    /// <param name="terminal">Stdout.</param>
    /// <param name="id">Name of the model.</param>
    /// <param name="findings">The findings.</param>
    /// <param name="training">The run of the model as given; null if it was not trained.</param>
    /// <param name="repair">What the doctor did, as <see cref="RepairJson"/> says it; null if nobody asked.</param>
    /// <param name="preflight">What was looked at before training; null for none.</param>
    /// <param name="rescues">What was done to the run on its way; null if that was not asked for.</param>
    public static void Write(string? path, Terminal terminal, string id, IReadOnlyList<Finding> findings, RunOutcome? training, JsonObject? repair = null, JsonObject? preflight = null, IReadOnlyList<RescueAct>? rescues = null)
    {
        if (path is null)
        {
            return;
        }
        JsonObject result = Result(id, findings, training, repair);
        if (rescues is not null)
        {
            result["rescues"] = new JsonArray([.. rescues.Select(act => (JsonNode)new JsonObject
            {
                ["rule"] = act.Finding.Rule, ["cause"] = act.Finding.Cause, ["step"] = act.Step, ["back_to"] = act.To, ["remedy"] = act.Remedy,
            })]);
        }
        if (preflight is not null)
        {
            result["preflight"] = preflight;
        }
        Write(path, terminal, result);
    }

    /// <summary>Writes a result of another form.</summary>
    public static void Write(string path, Terminal terminal, JsonObject result)
    {
        string text = result.ToJsonString(Layout) + "\n";
        if (path == "-")
        {
            terminal.Results.Write(text);
        }
        else
        {
            OutputPath.WriteText(path, text);
        }
    }

    private static JsonObject Result(string id, IReadOnlyList<Finding> findings, RunOutcome? training, JsonObject? repair)
    {
        Finding? main = findings.OrderByDescending(finding => finding.Severity).FirstOrDefault();
        return new JsonObject
        {
            ["schema"] = Schema,
            ["id"] = id,
            ["sick"] = findings.Any(finding => finding.Severity == Severity.Error),
            ["cause"] = main?.Cause ?? Causes.None,
            ["findings"] = new JsonArray([.. findings.Select(finding => (JsonNode)FindingJson.ToNode(finding))]),
            ["training"] = training is null ? null : Training(training),
            ["repair"] = repair,
        };
    }

    private static JsonObject Training(RunOutcome outcome)
    {
        JsonObject training = new()
        {
            [MetricName(outcome.Validation.MetricKind)] = FindingJson.Number(outcome.Validation.Metric),
            ["loss"] = FindingJson.Number(outcome.Validation.Loss),
            ["epochs"] = outcome.Epochs,
            ["steps"] = outcome.Steps,
            ["status"] = outcome.Status,
        };
        if (outcome.Taken is { } taken)
        {
            training["action"] = new JsonObject { ["rule"] = taken.Finding.Rule, ["step"] = taken.Step, ["rolled_back"] = taken.RolledBack, ["to"] = taken.To, ["proven"] = taken.Proven };
        }
        if (outcome.Validation.Metrics.Count > 0)
        {
            training["metrics"] = new JsonObject(outcome.Validation.Metrics.DistinctBy(metric => metric.Metric.Name)
                .Select(metric => KeyValuePair.Create(metric.Metric.Name, FindingJson.Number(metric.Value))));
        }
        return training;
    }

    /// <summary>The main metric as JSON names it.</summary>
    internal static string MetricName(MetricKind kind) => kind == MetricKind.Accuracy ? "accuracy" : "r2";
}
