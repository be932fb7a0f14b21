using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Fathom.Runs.Tests.Writer;

namespace Fathom.Runs.Tests;

public sealed class KillTests : IDisposable
{
    private const int ColumnCount = 40;
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// The writer is killed, and every second time resumed where its run ended; the small budget has it thin, and the
    /// late kills have it checkpoint, at the moment of the kill.
    /// </summary>
    [Fact]
    public async Task AKilledWriterLeavesEveryStepItHadCommitted()
    {
        Random random = new(20240611);
        for (int kill = 0; kill < 10; kill++)
        {
            string path = _folder.File($"{kill / 2}.run");
            long printed = await WriteUntilKilled(path, linesToWaitFor: random.Next(1, 2500), spins: random.Next(20_000));
            RequireWhole(path, printed);
        }
    }

    /// <summary>Returns the last step that the writer said it had committed.</summary>
    internal static async Task<long> WriteUntilKilled(string path, int linesToWaitFor, int spins)
    {
        ProcessStartInfo start = new("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])[typeof(SampleRun).Assembly.Location, "write", path, $"{ColumnCount}", "2000000"])
        {
            start.ArgumentList.Add(argument);
        }

        using Process writer = Process.Start(start)!;
        Task<string> errors = writer.StandardError.ReadToEndAsync();
        long last = -1;
        for (int i = 0; i < linesToWaitFor; i++)
        {
            string? line = await writer.StandardOutput.ReadLineAsync();
            if (line is null)
            {
                Assert.Fail($"The writer ended by itself: {await errors}");
            }

            last = long.Parse(line, CultureInfo.InvariantCulture);
        }

        Thread.SpinWait(spins);
        writer.Kill();
        string rest = await writer.StandardOutput.ReadToEndAsync();
        await writer.WaitForExitAsync();
        // A line cut off by the kill is no promise: only what ends in a line feed was printed whole.
        string[] lines = rest.Split('\n');
        return lines.Length > 1 ? long.Parse(lines[^2], CultureInfo.InvariantCulture) : last;
    }

    private static void RequireWhole(string path, long printed)
    {
        using (RunReader reader = RunReader.Open(path))
        {
            Assert.Equal("unfinished", reader.Status);
            Assert.InRange(reader.LastStep ?? -1, printed, printed + 1);
            Assert.Equal(Enumerable.Range(0, (int)reader.LastStep! + 1).Select(i => SampleRun.Step(i)), reader.Steps());

            HashSet<long> detail = [.. reader.DetailSteps()];
            Assert.All(
                reader.Steps().Where(s => s.Step < 100 || s.Step > reader.LastStep - 100 || s.Step % reader.DetailStride == 0),
                s => Assert.Contains(s.Step, detail));
            TensorRow[] expected = new TensorRow[ColumnCount];
            reader.VisitTensorRows(0, long.MaxValue, (step, rows) =>
            {
                SampleRun.Fill(step, expected);
                Assert.True(MemoryMarshal.AsBytes(rows).SequenceEqual(MemoryMarshal.AsBytes<TensorRow>(expected)), $"step {step}");
                Assert.Equal(step % 7 == 0, reader.ReadHistogram(step, 0) is not null);
            });
        }

        using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={path};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA integrity_check";
        Assert.Equal("ok", command.ExecuteScalar());
    }
}
