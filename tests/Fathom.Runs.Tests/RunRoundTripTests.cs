using System.Runtime.InteropServices;
using Fathom.Runs.Tests.Writer;

namespace Fathom.Runs.Tests;

public sealed class RunRoundTripTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void HeaderAndColumnsComeBackEqual()
    {
        RunHeader header = SampleRun.Header();
        TensorColumn[] columns = SampleRun.Columns(12);
        RunWriter.Create(_folder.File(), header, columns).Dispose();

        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Equal(header, reader.Header);
        Assert.Equal(columns, reader.Columns);
        Assert.Equal("unfinished", reader.Status);
        Assert.Null(reader.LastStep);
        Assert.Empty(reader.Steps());
    }

    [Fact]
    public void StepsKeepEveryScalarNonFiniteOnesToo()
    {
        StepRow[] steps =
        [
            SampleRun.Step(0),
            new(1, 0, double.NaN, 1e-300, double.PositiveInfinity, double.NegativeInfinity, 0.1),
            new(7, int.MaxValue, double.Epsilon, double.MaxValue, -1.5, 1.0 / 3, 1e15 + 0.125),
        ];
        using RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), []);
        foreach (StepRow step in steps)
        {
            writer.AppendStep(step, []);
        }

        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Equal(steps, reader.Steps());
        Assert.Equal([steps[1]], reader.Steps(1, 6));
        Assert.Equal(7, reader.LastStep);
    }

    [Fact]
    public void TensorRowsComeBackBitForBit()
    {
        TensorRow[] written = new TensorRow[9];
        TensorRow[] read = new TensorRow[9];
        using RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), SampleRun.Columns(9));
        for (long step = 0; step < 20; step++)
        {
            SampleRun.Fill(step, written);
            writer.AppendStep(SampleRun.Step(step), written);
        }

        using RunReader reader = RunReader.Open(_folder.File());
        for (long step = 0; step < 20; step++)
        {
            SampleRun.Fill(step, written);
            Assert.True(reader.ReadTensorRows(step, read));
            Assert.Equal(MemoryMarshal.AsBytes<TensorRow>(written), MemoryMarshal.AsBytes<TensorRow>(read));
        }

        Assert.False(reader.ReadTensorRows(20, read));
        Assert.Equal(1e-42, reader.Series(0, row => row.L2)[0].Value);
    }

    [Fact]
    public void BlobFollowsTheDocumentedOffsets()
    {
        TensorRow row = new()
        {
            Mean = 1.5, Std = 2.5, L2 = 1e-42, MaxAbs = 3e38,
            Count = 11, Zeros = 22, Saturated = 33, NaNs = 44,
            PositiveInfinities = 55, NegativeInfinities = 66, Denormals = 77, Flushed = 88,
        };
        using (RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), SampleRun.Columns(2)))
        {
            writer.AppendStep(SampleRun.Step(3), [default, row]);
        }

        byte[] expected = new byte[128];
        using (BinaryWriter bytes = new(new MemoryStream(expected, 64, 64)))
        {
            foreach (double number in (double[])[1.5, 2.5, 1e-42, 3e38])
            {
                bytes.Write(number);
            }

            foreach (uint number in (uint[])[11, 22, 33, 44, 55, 66, 77, 88])
            {
                bytes.Write(number);
            }
        }

        // Read by Microsoft's client, which shares no code with the reader.
        using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_folder.File()};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT rows FROM detail WHERE step = 3";
        Assert.Equal(expected, (byte[])command.ExecuteScalar()!);
    }

    [Fact]
    public void SeriesLeavesOutStepsAtWhichTheTensorWasNotMeasured()
    {
        using RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), SampleRun.Columns(2));
        writer.AppendStep(SampleRun.Step(0), [default, new TensorRow { Count = 4, Zeros = 1 }]);
        writer.AppendStep(SampleRun.Step(1), [new TensorRow { Count = 4, NaNs = 3 }, default]);
        writer.AppendStep(SampleRun.Step(2), []);
        writer.AppendStep(SampleRun.Step(3), [default, new TensorRow { Count = 8, Zeros = 8 }]);

        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Equal([new(0, 0.25), new(3, 1.0)], reader.Series(1, row => row.ZeroShare));
        Assert.Equal([new SeriesPoint(1, 0.75)], reader.Series(0, row => row.NonFiniteShare));
        Assert.Equal([0, 1, 3], reader.DetailSteps());
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.Series(2, row => row.L2));
    }

    [Fact]
    public void EvaluationsFindingsEventsAndStatusComeBackInOrder()
    {
        using (RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), []))
        {
            writer.AppendEvaluation(10, 1, "validation", 0.5, 0.9, "accuracy");
            writer.AppendEvaluation(10, 1, "train", double.NaN, double.NaN, "accuracy");
            writer.AppendFinding(4, "vanishing-gradient", "error", "vanishing", 0.75, """{"layers":["dense1 — ü"]}""");
            writer.AppendEvent(4, "checkpoint", "step 4 → a.ckpt");
            writer.Complete("diverged");
        }

        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Equal(
            [new(10, 1, "validation", 0.5, 0.9, "accuracy"), new(10, 1, "train", double.NaN, double.NaN, "accuracy")],
            reader.Evaluations());
        Assert.Equal(
            [new FindingRow(4, "vanishing-gradient", "error", "vanishing", 0.75, """{"layers":["dense1 — ü"]}""")],
            reader.Findings());
        EventRow happened = Assert.Single(reader.Events());
        Assert.Equal(("checkpoint", "step 4 → a.ckpt"), (happened.Kind, happened.Text));
        Assert.Equal("diverged", reader.Status);
        Assert.NotNull(reader.EndedUtc);
    }

    [Fact]
    public void HistogramsComeBackWhetherGivenBeforeOrAfterTheStep()
    {
        uint[] early = new uint[256];
        (early[0], early[127], early[255]) = (3, uint.MaxValue, 1);
        uint[] late = new uint[2048];
        late[2047] = 9;
        using RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), SampleRun.Columns(2));
        writer.AppendHistograms(0, 1, early);
        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Null(reader.ReadHistogram(0, 1));

        writer.AppendStep(SampleRun.Step(0), []);
        writer.AppendHistograms(0, 0, late);
        Assert.Equal(early, reader.ReadHistogram(0, 1));
        Assert.Equal(late, reader.ReadHistogram(0, 0));
        Assert.Null(reader.ReadHistogram(1, 0));
    }

    [Fact]
    public void AFinishedRunIsOneFile()
    {
        using (RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), SampleRun.Columns(3)))
        {
            writer.AppendStep(SampleRun.Step(0), new TensorRow[3]);
            Assert.True(File.Exists(_folder.File() + "-wal"));
            writer.Complete("completed");
        }

        using (RunReader reader = RunReader.Open(_folder.File()))
        {
            Assert.Equal(0, reader.LastStep);
        }

        Assert.Equal([_folder.File()], Directory.GetFiles(_folder.Root));
    }

    [Fact]
    public void AppendStepAllocatesNothingOnTheManagedHeap()
    {
        TensorRow[] rows = new TensorRow[24];
        uint[] bins = new uint[256];
        bins[100] = 7;
        // A budget so small that thinning is at work all the time.
        RunWriterOptions options = new() { ByteBudget = 700_000, ProtectedSteps = 10, RecentSteps = 20 };
        using RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), SampleRun.Columns(24), options: options);
        writer.Pin(700, 10);
        long Append(long from, long count)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (long step = from; step < from + count; step++)
            {
                SampleRun.Fill(step, rows);
                writer.AppendHistograms(step, 3, bins);
                writer.AppendStep(SampleRun.Step(step), rows);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Append(0, 600);
        Assert.Equal(0, Append(600, 1000));
        using RunReader reader = RunReader.Open(_folder.File());
        Assert.True(reader.DetailStride > 1);
    }
}
