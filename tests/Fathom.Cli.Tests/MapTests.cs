using System.Text.Json;

namespace Fathom.Cli.Tests;

public sealed class MapTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AChainIsPredictedInEveryForm()
    {
        string png = folder.File("m.png"), svg = folder.File("m.svg"), csv = folder.File("m.csv"), json = folder.File("m.json");
        CliRun run = CliRun.Of("map", "--x", "depth=2..60:5", "--y", "weight-variance=1,1.76,4", "--out", png, "--out", svg, "--out", csv, "--json", json);

        Assert.True(run.Status == ExitStatus.Clean, run.Error);
        Assert.Contains("edge of chaos at σw² = 1.761", run.Output);
        Assert.Matches(@"\n +4  oooo\+\n +1\.76  ooooo\n +1  oooo-\n", run.Output.ReplaceLineEndings("\n"));
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], File.ReadAllBytes(png)[..4]);
        Assert.Contains("σw² (weight variance × fan-in)", File.ReadAllText(svg));
        Assert.Equal(3 + 15, File.ReadAllLines(csv).Length);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(json));
        JsonElement map = document.RootElement.GetProperty("map");
        Assert.Equal("fathom/1", document.RootElement.GetProperty("schema").GetString());
        Assert.Equal(15, map.GetProperty("cells").GetArrayLength());
        Assert.InRange(map.GetProperty("cells")[0].GetProperty("correlation_depth_scale").GetDouble(), 2, 5.94); // 5.94 at σw² = 1.2
        Assert.Equal(JsonValueKind.Null, map.GetProperty("fit").ValueKind);
    }

    [Fact]
    public void TrainedCellsAreKeptAndAskedForNoMore()
    {
        string png = folder.File("m.png"), csv = folder.File("m.csv");
        string[] command = ["map", "--x", "depth=2,30", "--y", "weight-variance=1,1.76", "--train", "--steps", "150", "--set", "learning-rate=0.03", "--set", "width=32", "--out", png];
        CliRun run = CliRun.Of(command);
        Assert.True(run.Status == ExitStatus.Clean, run.Error);
        Assert.Contains("fitted: trained to about", run.Output);
        string[] lines = File.ReadAllLines(csv); // beside the picture, though nobody asked
        Assert.Equal(3 + 4, lines.Length);

        File.WriteAllText(csv, string.Join('\n', lines[..5]) + "\n30,1,0.2"); // killed within the third cell
        run = CliRun.Of(command);
        Assert.Contains("2 cells are in", run.Output);
        // The seconds differ; all else is the same.
        Assert.Equal(lines.Select(WithoutTime), File.ReadAllLines(csv).Select(WithoutTime));

        Assert.Contains("its cells belong to another map (steps=150 there, steps=151 here)", CliRun.Of([.. command.Select(item => item == "150" ? "151" : item)]).RequireOneLineError());
        Assert.Contains("it holds 4 trained cells", CliRun.Of("map", "--x", "depth=2,30", "--y", "weight-variance=1,1.76", "--set", "learning-rate=0.03", "--set", "width=32", "--out", csv).RequireOneLineError());

        static string WithoutTime(string line) => line[..(line.LastIndexOf(',') + 1)];
    }

    [Fact]
    public async Task AnInterruptedMapSaysHowToGoOn()
    {
        using CancellationTokenSource interruption = new();
        string csv = folder.File("m.csv");
        Task signal = Task.Run(() =>
        {
            SpinWait.SpinUntil(() => File.Exists(csv), TimeSpan.FromMinutes(1)); // the file begins with the training
            interruption.Cancel();
        });
        CliRun run = CliRun.Of(interruption.Token, "map", "--x", "depth=60,80", "--y", "weight-variance=1..4:4", "--train", "--steps", "100000", "--out", csv);
        await signal;
        Assert.Equal(ExitStatus.Findings, run.Status);
        Assert.Contains("8 cells are left; the same command goes on", run.Output);
    }

    [Fact]
    public void AModelIsVaried()
    {
        string model = folder.Model("m.yaml", "tanh", depth: 4);
        CliRun run = CliRun.Of("map", model, "--x", "depth=2..40:3", "--y", "weight-variance=0.5,1.5", "--set", "bias-variance=0");
        Assert.True(run.Status == ExitStatus.Clean, run.Error);
        Assert.Matches(@"\n +0\.5  o--\n", run.Output.ReplaceLineEndings("\n"));
        run = CliRun.Of("map", model, "--x", "learning-rate=1e-3..10:3:log", "--y", "batch=16,64", "--train", "--steps", "20");
        Assert.True(run.Status == ExitStatus.Clean, run.Error);
    }

    [Theory]
    [InlineData("--x is missing", "--y", "depth=2,3")]
    [InlineData("both vary depth", "--x", "depth=2,3", "--y", "depth=4,5")]
    [InlineData("depends neither on learning-rate nor on batch; give --train", "--x", "learning-rate=1,2", "--y", "batch=2,3")]
    [InlineData("nearest is 'depth'", "--x", "dpth=2,3", "--y", "batch=2,3")]
    [InlineData("known are .png, .svg and .csv", "--x", "depth=2,3", "--y", "batch=2,3", "--out", "m.jpg")]
    [InlineData("depth is an axis of the map already", "--x", "depth=2,3", "--y", "batch=2,3", "--set", "depth=4")]
    [InlineData("no such activation, nearest is 'tanh'", "--x", "depth=2,3", "--y", "batch=2,3", "--activation", "tan")]
    [InlineData("the optimizer adagrad has no momentum", "--x", "depth=2,3", "--y", "momentum=0.1,0.9", "--optimizer", "adagrad")]
    [InlineData("--steps belongs to --train", "--x", "depth=2,3", "--y", "batch=2,3", "--steps", "5")]
    [InlineData("--multiplier is 0", "--x", "depth=2,3", "--y", "batch=2,3", "--multiplier", "0")]
    public void BadInputGetsOneLine(string reason, params string[] options) => Assert.Contains(reason, CliRun.Of(["map", .. options]).RequireOneLineError());
}
