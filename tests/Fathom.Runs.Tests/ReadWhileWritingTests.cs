using Fathom.Runs.Tests.Writer;

namespace Fathom.Runs.Tests;

public sealed class ReadWhileWritingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task EverySnapshotIsAWholeRun()
    {
        const int Steps = 3000;
        const int ColumnCount = 8;
        RunWriterOptions options = new() { ByteBudget = 600_000 };
        using RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), SampleRun.Columns(ColumnCount), options: options);
        using RunReader reader = RunReader.Open(_folder.File());
        Task writing = Task.Run(() =>
        {
            TensorRow[] rows = new TensorRow[ColumnCount];
            for (long step = 0; step < Steps; step++)
            {
                SampleRun.Fill(step, rows);
                writer.AppendStep(SampleRun.Step(step), rows);
            }

            writer.Complete("completed");
        });

        int looks = 0;
        bool finished;
        do
        {
            finished = writing.IsCompleted;
            Look(reader);
            looks++;
        }
        while (!finished);
        await writing;

        Assert.True(looks > 1);
        Assert.Equal("completed", reader.Status);
        Assert.Equal(Steps - 1, reader.LastStep);
        Assert.True(reader.DetailStride > 1);
    }

    [Fact]
    public void ASnapshotHoldsStillAndTheReaderSeesNewStepsAfterIt()
    {
        using RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), []);
        writer.AppendStep(SampleRun.Step(0), []);
        using RunReader reader = RunReader.Open(_folder.File());
        using (reader.Snapshot())
        {
            writer.AppendStep(SampleRun.Step(1), []);
            Assert.Equal(0, reader.LastStep);
            Assert.Throws<InvalidOperationException>(reader.Snapshot);
        }

        Assert.Equal(1, reader.LastStep);
    }

    [Fact]
    public void AWriterClosedUnderAReaderLeavesAReadableRun()
    {
        RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), []);
        writer.AppendStep(SampleRun.Step(0), []);
        using (RunReader reader = RunReader.Open(_folder.File()))
        using (reader.Snapshot())
        {
            writer.AppendStep(SampleRun.Step(1), []);
            writer.Dispose();
            Assert.Equal(0, reader.LastStep);
        }

        using RunReader later = RunReader.Open(_folder.File());
        Assert.Equal(1, later.LastStep);
    }

    private static void Look(RunReader reader)
    {
        using IDisposable snapshot = reader.Snapshot();
        IReadOnlyList<StepRow> steps = reader.Steps();
        Assert.Equal(steps.Count == 0 ? null : steps.Count - 1, reader.LastStep);
        for (int i = 0; i < steps.Count; i++)
        {
            Assert.Equal(SampleRun.Step(i), steps[i]);
        }

        TensorRow[] expected = new TensorRow[reader.Columns.Count];
        int seen = 0;
        reader.VisitTensorRows(0, long.MaxValue, (step, rows) =>
        {
            SampleRun.Fill(step, expected);
            Assert.Equal(expected[0].L2, rows[0].L2);
            Assert.Equal(expected[^1].Denormals, rows[^1].Denormals);
            seen++;
        });
        Assert.Equal(reader.DetailSteps().Count, seen);
        Assert.True(seen >= Math.Min(steps.Count, 100));
    }
}
