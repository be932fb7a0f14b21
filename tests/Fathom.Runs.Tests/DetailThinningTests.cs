using System.Runtime.InteropServices;
using Fathom.Runs.Tests.Writer;

namespace Fathom.Runs.Tests;

public sealed class DetailThinningTests : IDisposable
{
    private const int ColumnCount = 20;
    private readonly TemporaryFolder _folder = new();
    private readonly TensorRow[] _rows = new TensorRow[ColumnCount];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void DetailIsThinnedEvenlyUnderTheBudgetAndScalarsStay()
    {
        const long Budget = 1_500_000;
        const int Steps = 5000;
        using (RunWriter writer = Create(Budget))
        {
            Append(writer, 0, Steps);
        }

        // 5000 steps × 20 columns × 64 bytes would be 6.4 MB.
        Assert.InRange(new FileInfo(_folder.File()).Length, Budget / 4, Budget);
        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Equal(Enumerable.Range(0, Steps).Select(i => SampleRun.Step(i)), reader.Steps());

        long stride = reader.DetailStride;
        Assert.True(stride is > 1 and <= 32 && long.IsPow2(stride), $"stride {stride}");
        IEnumerable<long> expected = Enumerable.Range(0, Steps)
            .Select(i => (long)i)
            .Where(i => i < 100 || i >= Steps - 100 || i % stride == 0);
        Assert.Equal(expected, reader.DetailSteps());
        RequireRightRows(reader);
    }

    [Fact]
    public void ADeepNetworkGetsFewerWholeStepsSoThatTheBudgetHolds()
    {
        const int Columns = 2000; // 128 kB a step: 200 whole steps would be 25 MB
        const long Budget = 6_000_000;
        TensorRow[] rows = new TensorRow[Columns];
        using (RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), SampleRun.Columns(Columns), options: Options(Budget)))
        {
            for (int step = 0; step < 300; step++)
            {
                SampleRun.Fill(step, rows);
                writer.AppendStep(SampleRun.Step(step), rows);
            }
            writer.Pin(299, 1000);
        }

        Assert.InRange(new FileInfo(_folder.File()).Length, Budget / 4, Budget);
        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Equal(Enumerable.Range(0, 300).Select(i => SampleRun.Step(i)), reader.Steps());
        IReadOnlyList<long> detail = [.. reader.DetailSteps()];
        Assert.Equal(Enumerable.Range(0, 11).Select(i => (long)i), detail.Take(11)); // 11 · 128 kB ≤ 1.5 MB
        Assert.Equal(Enumerable.Range(289, 11).Select(i => (long)i), detail.TakeLast(11));
    }

    [Fact]
    public void PinnedStepsKeepTheirDetailBackwardsAndForwards()
    {
        using (RunWriter writer = Create(1_000_000))
        {
            Append(writer, 0, 2000);
            writer.Pin(1990, 40);
            writer.AppendHistograms(1995, 2, [1, 2, 3]);
            writer.AppendHistograms(1901, 2, [1, 2, 3]);
            Append(writer, 2000, 3000);
        }

        using RunReader reader = RunReader.Open(_folder.File());
        HashSet<long> kept = [.. reader.DetailSteps()];
        Assert.All(Enumerable.Range(1950, 81), step => Assert.Contains(step, kept));
        Assert.DoesNotContain(1949, kept);
        Assert.DoesNotContain(2031, kept);
        Assert.NotNull(reader.ReadHistogram(1995, 2));
        Assert.Null(reader.ReadHistogram(1901, 2));
    }

    [Fact]
    public void AResumedRunGoesOnThinning()
    {
        const long Budget = 1_000_000;
        using (RunWriter writer = Create(Budget))
        {
            writer.Pin(1234, 3);
            Append(writer, 0, 1500);
        }

        for (long from = 1500; from < 4000; from += 500)
        {
            using RunWriter writer = RunWriter.Append(_folder.File(), from - 1, options: Options(Budget));
            Append(writer, from, 500);
        }

        Assert.InRange(new FileInfo(_folder.File()).Length, Budget / 4, Budget);
        using RunReader reader = RunReader.Open(_folder.File());
        long stride = reader.DetailStride;
        Assert.True(stride > 1);
        IEnumerable<long> expected = Enumerable.Range(0, 4000)
            .Select(i => (long)i)
            .Where(i => i < 100 || i >= 3900 || i % stride == 0 || i is >= 1231 and <= 1237);
        Assert.Equal(expected, reader.DetailSteps());
        RequireRightRows(reader);
    }

    [Fact]
    public void WhereScalarsAndPinsExceedTheBudgetOnlyThoseAndTheLatestStepsStay()
    {
        using (RunWriter writer = Create(100_000))
        {
            writer.Pin(3000, 20);
            Append(writer, 0, 6000);
        }

        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Equal(6000, reader.Steps().Count);
        Assert.Equal(19 + 39 + 19, reader.DetailSteps().Count); // a quarter of the budget holds 19 steps of 1,280 bytes
        RequireRightRows(reader);
    }

    [Theory]
    [InlineData(65535, 100, 100)]
    [InlineData(65536, -1, 100)]
    [InlineData(65536, 0, 0)]
    public void OptionsOutOfRangeAreRefused(long budget, int protectedSteps, int recent)
    {
        RunWriterOptions options = new() { ByteBudget = budget, ProtectedSteps = protectedSteps, RecentSteps = recent };
        Assert.Throws<ArgumentOutOfRangeException>(
            () => RunWriter.Create(_folder.File(), SampleRun.Header(), [], options: options));
        Assert.False(File.Exists(_folder.File()));
    }

    private static RunWriterOptions Options(long budget) => new() { ByteBudget = budget };

    private RunWriter Create(long budget) =>
        RunWriter.Create(_folder.File(), SampleRun.Header(), SampleRun.Columns(ColumnCount), options: Options(budget));

    private void Append(RunWriter writer, long from, int count)
    {
        for (long step = from; step < from + count; step++)
        {
            SampleRun.Fill(step, _rows);
            writer.AppendStep(SampleRun.Step(step), _rows);
        }
    }

    private void RequireRightRows(RunReader reader)
    {
        TensorRow[] expected = new TensorRow[ColumnCount];
        reader.VisitTensorRows(0, long.MaxValue, (step, rows) =>
        {
            SampleRun.Fill(step, expected);
            Assert.True(MemoryMarshal.AsBytes(rows).SequenceEqual(MemoryMarshal.AsBytes<TensorRow>(expected)), $"step {step}");
        });
    }
}
