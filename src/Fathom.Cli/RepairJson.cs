using System.Text.Json.Nodes;
using Fathom.Cli.Verbs;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Repair;

namespace Fathom.Cli;

/// <summary>What <c>fathom fix</c> did, as the <c>repair</c> of the machine-readable result.</summary>
internal static class RepairJson
{
    /// <param name="report">What the doctor found.</param>
    /// <param name="mended">The files of the mended model; null if there is none.</param>
    /// <param name="code">Its code.</param>
    /// <param name="journal">What was taken over from.</param>
    public static JsonObject Of(DoctorReport report, MendedFiles? mended, IReadOnlyList<WrittenCode> code, FixJournal journal)
    {
        string metric = ResultJson.MetricName(report.Control.Validation.MetricKind);
        double reached = report.Mended is null || report.MendedOutcome is null ? double.NaN : report.MendedOutcome.Validation.Metric;
        JsonObject repair = new()
        {
            [metric] = FindingJson.Number(reached),
            ["control_" + metric] = FindingJson.Number(report.Control.Validation.Metric),
            ["applied"] = new JsonArray([.. (report.Cure?.Remedies ?? []).Select(remedy => (JsonNode)remedy.Name)]),
            ["seeds"] = report.Pairs.Length,
            ["proof"] = new JsonArray([.. report.Pairs.Select(pair => Proof(pair, metric))]),
            ["trials"] = new JsonArray([.. report.Trials.Select(trial => Trial(trial, metric))]),
            ["cost"] = Cost(report),
            ["verdict"] = report.Verdict,
            ["journal"] = Journal(report, journal),
        };
        if (mended is not null)
        {
            (repair["model"], repair["diff"], repair["notes"]) = (mended.Model, mended.DiffText, Lines(mended.Notes));
            repair["code"] = new JsonArray([.. code.Select(Code)]);
        }
        return repair;
    }

    private static JsonNode Proof(Pair pair, string metric) => new JsonObject
    {
        ["seed"] = pair.Seed,
        ["control_" + metric] = FindingJson.Number(pair.Control),
        ["control_steps"] = pair.ControlSteps,
        [metric] = FindingJson.Number(pair.Mended),
        ["steps"] = pair.MendedSteps,
    };

    private static JsonNode Trial(Trial trial, string metric) => new JsonObject
    {
        ["remedies"] = new JsonArray([.. trial.Remedies.Select(remedy => (JsonNode)remedy.Name)]),
        ["steps"] = trial.Steps,
        [metric] = FindingJson.Number(trial.Metric),
        ["fate"] = trial.Fate,
    };

    private static JsonObject Cost(DoctorReport report) => new()
    {
        ["total"] = Rounded(report.Cost.Total),
        ["control"] = Rounded(report.Cost.Control),
        ["search"] = Rounded(report.Cost.Trials),
        ["proof"] = Rounded(report.Cost.Proof),
        ["seconds"] = Rounded(report.Seconds),
    };

    private static JsonObject Journal(DoctorReport report, FixJournal journal) => new()
    {
        ["file"] = journal.Stays ? journal.Path : null,
        ["taken_over"] = new JsonObject { ["control"] = journal.TakenOver.Control, ["trials"] = journal.TakenOver.Trials, ["proof_runs"] = journal.TakenOver.ProofRuns },
        ["computed"] = Rounded(report.Computed),
        ["repeated"] = Rounded(report.Repeated),
    };

    private static JsonNode Code(WrittenCode code) => new JsonObject { ["target"] = code.Target, ["file"] = code.File, ["notes"] = Lines(code.Notes) };

    private static JsonArray Lines(IEnumerable<string> lines) => new([.. lines.Select(line => (JsonNode)line)]);

    private static JsonNode? Rounded(double number) => FindingJson.Number(Math.Round(number, 4));
}
