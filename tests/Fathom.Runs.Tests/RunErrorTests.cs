using Fathom.Runs.Tests.Writer;

namespace Fathom.Runs.Tests;

public sealed class RunErrorTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void OpeningAMissingFileOrAFolderSaysSo()
    {
        AssertMessage("no run file", () => RunReader.Open(_folder.File()));
        AssertMessage("is a folder", () => RunReader.Open(_folder.Root));
        AssertMessage("no run file", () => RunWriter.Append(_folder.File(), -1));
        Assert.Empty(Directory.GetFiles(_folder.Root));
    }

    [Theory]
    [InlineData(20)]
    [InlineData(100_000)]
    public void ATextFileIsNeitherReadNorOverwritten(int length)
    {
        string text = new('x', length);
        File.WriteAllText(_folder.File(), text);
        AssertMessage("is not an SQLite file", () => RunReader.Open(_folder.File()));
        AssertMessage("is not an SQLite file", () => RunWriter.Append(_folder.File(), 0));
        AssertMessage("is not a Fathom run, so it is not overwritten", () => Create(overwrite: true));
        Assert.Equal(text, File.ReadAllText(_folder.File()));
    }

    [Fact]
    public void AnotherProgramsDatabaseIsNeitherReadNorOverwritten()
    {
        WithConnection("CREATE TABLE t(x)");
        byte[] before = File.ReadAllBytes(_folder.File());
        AssertMessage("not a Fathom run", () => RunReader.Open(_folder.File()));
        AssertMessage("not a Fathom run", () => RunWriter.Append(_folder.File(), 0));
        AssertMessage("not a Fathom run", () => Create(overwrite: true));
        Assert.Equal(before, File.ReadAllBytes(_folder.File()));
    }

    [Fact]
    public void AnEmptyFileIsNoRunButMayBecomeOne()
    {
        File.WriteAllBytes(_folder.File(), []);
        AssertMessage("not a Fathom run", () => RunReader.Open(_folder.File()));
        Create(overwrite: false);
        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Equal("sample", reader.Header.Name);
    }

    [Fact]
    public void ANewerSchemaIsRefusedByName()
    {
        Create(overwrite: false);
        WithConnection("PRAGMA user_version = 2");
        AssertMessage("schema 2; this version reads up to schema 1", () => RunReader.Open(_folder.File()));
        AssertMessage("schema 2", () => RunWriter.Append(_folder.File(), 0));
    }

    [Fact]
    public void ADamagedFileSaysSo()
    {
        Create(overwrite: false);
        byte[] bytes = File.ReadAllBytes(_folder.File());
        bytes.AsSpan(100, 2000).Fill(0xAB);
        File.WriteAllBytes(_folder.File(), bytes);
        AssertMessage("is damaged", () => RunReader.Open(_folder.File()));
    }

    [Fact]
    public void CreatingInAMissingFolderNamesTheFolder()
    {
        string path = Path.Combine(_folder.Root, "missing", "a.run");
        AssertMessage(
            $"there is no folder '{Path.Combine(_folder.Root, "missing")}'",
            () => RunWriter.Create(path, SampleRun.Header(), []));
        AssertMessage("a folder of that name", () => RunWriter.Create(_folder.Root, SampleRun.Header(), []));
    }

    [Fact]
    public void ADeviceIsNeverReplaced()
    {
        AssertMessage("is a device or belongs to the system", () => RunWriter.Create("/proc/self/a.run", SampleRun.Header(), []));
    }

    [Fact]
    public void AnExistingRunIsReplacedOnlyOnRequest()
    {
        string first = Create(overwrite: false);
        AssertMessage("already holds a run", () => Create(overwrite: false));
        using (RunReader reader = RunReader.Open(_folder.File()))
        {
            Assert.Equal(first, reader.Header.Id);
        }

        string second = Create(overwrite: true);
        using RunReader replaced = RunReader.Open(_folder.File());
        Assert.Equal(second, replaced.Header.Id);
    }

    [Fact]
    public void ARunBeingWrittenIsNotReplaced()
    {
        using RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), []);
        writer.AppendStep(SampleRun.Step(0), []);
        AssertMessage("open in another program", () => Create(overwrite: true));
        writer.AppendStep(SampleRun.Step(1), []);
        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Equal(1, reader.LastStep);
    }

    [Fact]
    public void MisuseOfTheWriterIsNamedAndHarmsNothing()
    {
        using RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), SampleRun.Columns(2));
        writer.AppendStep(SampleRun.Step(5), new TensorRow[2]);
        Assert.Contains("last one recorded is 5", Assert.Throws<ArgumentException>(() => writer.AppendStep(SampleRun.Step(5), [])).Message);
        Assert.Contains("2 columns", Assert.Throws<ArgumentException>(() => writer.AppendStep(SampleRun.Step(6), new TensorRow[3])).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.AppendHistograms(6, 2, [1]));
        Assert.Throws<ArgumentNullException>(() => writer.AppendEvent(5, null!, "text"));
        Assert.Throws<ArgumentException>(() => writer.Complete("done"));
        writer.AppendHistograms(7, 1, [1]);
        Assert.Contains("step 7", Assert.Throws<ArgumentException>(() => writer.AppendStep(SampleRun.Step(6), [])).Message);
        writer.AppendStep(SampleRun.Step(7), []);
        using RunReader reader = RunReader.Open(_folder.File());
        Assert.Equal([5L, 7], reader.Steps().Select(s => s.Step));
        Assert.Contains("room for 1", Assert.Throws<ArgumentException>(() => reader.ReadTensorRows(5, new TensorRow[1])).Message);
        writer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => writer.AppendStep(SampleRun.Step(8), []));
    }

    private static void AssertMessage(string part, Action action)
    {
        string message = Assert.Throws<RunFileException>(action).Message;
        Assert.Contains(part, message);
        Assert.DoesNotContain('\n', message);
    }

    private string Create(bool overwrite)
    {
        using RunWriter writer = RunWriter.Create(_folder.File(), SampleRun.Header(), [], overwrite);
        return writer.Header.Id;
    }

    private void WithConnection(string sql)
    {
        using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_folder.File()};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
