using Fathom.Runs.Tests.Writer;

namespace Fathom.Runs.Tests;

public sealed class ResumeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public ResumeTests()
    {
        using RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), SampleRun.Columns(2));
        for (long step = 0; step <= 9; step++)
        {
            writer.AppendHistograms(step, 0, [1]);
            writer.AppendStep(SampleRun.Step(step), new TensorRow[2]);
            writer.AppendEvaluation(step, 0, "validation", step, step, "accuracy");
            writer.AppendFinding(step, "rule", "info", "none", 1, "{}");
            writer.AppendDiagnosis(step, $"[{step}]");
        }

        writer.AppendEvent(9, "interrupted", "by the user");
        writer.Complete("interrupted");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ResumingKeepsAllUpToTheCheckpointAndNothingLater()
    {
        using (RunWriter writer = RunWriter.Append(_folder.File(), 6, SampleRun.Columns(2)))
        {
            Assert.Equal(6, writer.LastStep);
            writer.AppendStep(SampleRun.Step(7) with { Loss = 42 }, []);
        }

        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Equal(
            [.. Enumerable.Range(0, 7).Select(i => SampleRun.Step(i)), SampleRun.Step(7) with { Loss = 42 }],
            reader.Steps());
        Assert.Equal([0, 1, 2, 3, 4, 5, 6], reader.DetailSteps());
        Assert.Equal([0L, 1, 2, 3, 4, 5, 6], reader.Evaluations().Select(e => e.Step));
        Assert.Equal([0L, 1, 2, 3, 4, 5, 6], reader.Findings().Select(f => f.Step));
        Assert.Equal("[6]", reader.Diagnosis());
        Assert.NotNull(reader.ReadHistogram(6, 0));
        Assert.Null(reader.ReadHistogram(7, 0));
        Assert.Equal(["interrupted", "resumed"], reader.Events().Select(e => e.Kind));
        Assert.Contains("3 later steps removed", reader.Events()[1].Text);
        Assert.Equal("unfinished", reader.Status);
        Assert.Null(reader.EndedUtc);
    }

    /// <summary>Files of the first versions have no such table; continued, they get it.</summary>
    [Fact]
    public void ARunWithoutDiagnosesIsReadAndContinued()
    {
        using (var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_folder.File()};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "DROP TABLE diagnosis";
            command.ExecuteNonQuery();
        }
        using (RunReader reader = RunReader.Open(_folder.File()))
        {
            Assert.Null(reader.Diagnosis());
        }
        using (RunWriter writer = RunWriter.Append(_folder.File(), 6, SampleRun.Columns(2)))
        {
            writer.AppendDiagnosis(6, "[]");
        }
        using RunReader after = RunReader.Open(_folder.File());
        Assert.Equal("[]", after.Diagnosis());
    }

    [Fact]
    public void ResumingAfterTheEndOrWithAnotherModelChangesNothing()
    {
        string gap = Assert.Throws<RunFileException>(() => RunWriter.Append(_folder.File(), 10)).Message;
        Assert.Contains("ends at step 9", gap);
        string model = Assert.Throws<RunFileException>(() => RunWriter.Append(_folder.File(), 5, SampleRun.Columns(3))).Message;
        Assert.Contains("watches other tensors", model);

        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Equal(9, reader.LastStep);
        Assert.Equal("interrupted", reader.Status);
    }

    [Fact]
    public void ResumingFromTheStartKeepsOnlyHeaderAndEvents()
    {
        RunWriter.Append(_folder.File(), -1).Dispose();
        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Null(reader.LastStep);
        Assert.Empty(reader.Findings());
        Assert.Equal(2, reader.Events().Count);
    }
}
