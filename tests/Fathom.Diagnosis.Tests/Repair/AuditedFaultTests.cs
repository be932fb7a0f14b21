using Fathom.Compute;
using Fathom.Diagnosis.Repair;
using Fathom.Diagnosis.Tests.Audit;
using Fathom.Diagnosis.Tests.Messages.Cases;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Tests.Repair;

/// <summary>What the look before training has found, the doctor mends with the remedy that the rule names.</summary>
public sealed class AuditedFaultTests
{
    public static TheoryData<string, string> Faults => new() { { "FTH023", "added_activation" }, { "FTH024", "dropout" }, { "FTH025", "bias" } };

    [Xunit.Theory]
    [MemberData(nameof(Faults))]
    public void TheNamedRemedyIsProven(string rule, string kind)
    {
        (ModelDefinition model, DataSplit data) = rule switch
        {
            "FTH023" => (HiddenLayerAuditTests.Circles(net => net), HiddenLayerAuditTests.CirclesData),
            "FTH024" => (HiddenLayerAuditTests.Dropping(0.98), SickNetworks.Digits),
            _ => (DeadReluMessage.Sunken, SickNetworks.Digits),
        };
        using WorkerPool pool = new(2);
        DoctorReport report = new Doctor(data, pool).Examine(model);

        Assert.Contains(report.Findings.Flat(), finding => finding.Rule == rule && finding.Remedies.Contains(kind));
        Assert.True(report.Cure is not null && report.Cure.Remedies.Any(remedy => remedy.Remedy.Kind == kind), $"{report.Cure?.Name}: {report.Verdict}\n{string.Join("\n", report.Trials.Select(trial => $"{trial.Share:F3} {trial.Metric:F3} {trial.Name} {trial.Fate}"))}\n{string.Join("; ", report.Pairs)} {report.Cost}");
        Assert.True(FaultyData.Run(report.Mended!, data).Validation.Metric > FaultyData.Run(report.Model, data).Validation.Metric + 0.2);
    }
}
