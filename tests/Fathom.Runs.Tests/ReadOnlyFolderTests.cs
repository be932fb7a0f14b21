using Fathom.Runs.Tests.Writer;

namespace Fathom.Runs.Tests;

/// <summary>Root may write anywhere, so for root these tests take the ordinary way.</summary>
public sealed class ReadOnlyFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(_folder.Root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        _folder.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AKilledRunIsReadWithAllItsSteps(bool withIndex)
    {
        long printed = await KillTests.WriteUntilKilled(_folder.File(), linesToWaitFor: 300, spins: 0);
        if (!withIndex)
        {
            File.Delete(_folder.File() + "-shm");
        }

        MakeReadOnly();
        using RunReader reader = RunReader.Open(_folder.File());
        Assert.InRange(reader.LastStep ?? -1, printed, printed + 1);
        Assert.Equal(reader.LastStep + 1, reader.Steps().Count);
    }

    [Fact]
    public void ARunWhoseSideFilesAreGoneIsReadUnderAnyName()
    {
        string path = _folder.File(OperatingSystem.IsWindows() ? "a #1 %41.run" : "a #1 ?x=%41.run");
        using (RunWriter writer = RunWriter.Create(path, SampleRun.Header(), []))
        {
            writer.AppendStep(SampleRun.Step(0), []);
        }

        using (var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={path};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA journal_mode = WAL";
            command.ExecuteNonQuery();
        }

        Assert.Equal([path], Directory.GetFiles(_folder.Root));
        MakeReadOnly();
        using RunReader reader = RunReader.Open(path);
        Assert.Equal([SampleRun.Step(0)], reader.Steps());
    }

    private void MakeReadOnly()
    {
        if (!OperatingSystem.IsWindows())
        {
            foreach (string file in Directory.GetFiles(_folder.Root))
            {
                File.SetUnixFileMode(file, UnixFileMode.UserRead);
            }

            File.SetUnixFileMode(_folder.Root, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }
    }
}
