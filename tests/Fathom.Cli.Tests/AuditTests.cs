using Fathom.Diagnosis;
using Fathom.Diagnosis.Audit;
using Fathom.Formats;
using Fathom.Testing;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Cli.Tests;

/// <summary>No sample gives a false alarm.</summary>
public sealed class AuditTests
{
    public static TheoryData<string> Models => [.. Directory.GetFiles(Path.Combine(RepositoryFiles.Root, "samples"), "*.yaml", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    [Theory, MemberData(nameof(Models))]
    public void SamplesGiveNoAlarm(string path)
    {
        ModelDefinition model = ModelReader.Read(path);
        DataSplit? data = model.Data is { } reference ? DataSource.Open(reference.Source, new DataOptions { Seed = model.Plan.Seed, Validation = reference.Validation }) : null;
        Assert.DoesNotContain(DataAudit.Inspect(model, data), finding => finding.Severity >= Severity.Warning);
    }
}
