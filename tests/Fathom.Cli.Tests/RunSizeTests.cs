using Fathom.Runs;

namespace Fathom.Cli.Tests;

public sealed class RunSizeTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void TheFileStaysUnderItsSizeAndEveryStepIsThere()
    {
        string layers = string.Join(", ", Enumerable.Repeat("{dense: 4}, tanh", 120));
        string model = folder.Write("deep.yaml", $$$"""
            fathom: 1
            data: digits
            input: 64
            layers: [{{{layers}}}, {dense: 10}]
            loss: cross_entropy
            optimizer: {sgd: {learning_rate: 0.01}}
            batch: 20
            epochs: 1
            """);
        CliRun run = CliRun.Of("train", model, "--run", folder.File("a.run"), "--run-size", "2", "--fail-on", "never");

        Assert.True(run.Status == ExitStatus.Clean, run.Output + run.Error);
        Assert.InRange(new FileInfo(folder.File("a.run")).Length, 500_000, 2_000_000);
        using RunReader reader = RunReader.Open(folder.File("a.run"));
        Assert.Equal(reader.LastStep + 1, reader.Steps().Count());
        Assert.True(reader.DetailStride > 1);
    }

    [Theory]
    [InlineData("--run-size", "5", "--run-size limits the file of --run, which is missing; add --run FILE")]
    [InlineData("--run-size", "0", "--run-size is '0'; it must be a whole number from 1 to 1000000")]
    public void BadInputIsOneLine(string option, string value, string expected)
    {
        CliRun run = CliRun.Of("train", folder.Model("model.yaml", "relu", epochs: 1), option, value);

        Assert.Equal(ExitStatus.BadInput, run.Status);
        Assert.StartsWith("fathom: " + expected, run.Error);
        Assert.Single(run.Error.Trim().Split('\n'));
    }
}
