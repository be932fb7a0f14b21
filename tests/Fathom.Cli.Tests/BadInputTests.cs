using System.IO.Compression;

namespace Fathom.Cli.Tests;

/// <summary>Bad usage and bad input: one line, status 2, no stack trace, nothing overwritten.</summary>
public sealed class BadInputTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Xunit.Theory]
    [InlineData("frobnicate", "unknown command 'frobnicate'")]
    [InlineData("trian", "nearest is 'train'")]
    [InlineData("train m.yaml --epoch 3", "nearest is '--epochs'")]
    [InlineData("train m.yaml --epochs many", "--epochs is 'many'; it must be a whole number of 1 or more")]
    [InlineData("train m.yaml --batch 0", "--batch is '0'")]
    [InlineData("train m.yaml --fail-on sometimes", "sometimes")]
    [InlineData("train", "MODEL is missing")]
    [InlineData("fix m.yaml --seeds 0", "--seeds is '0'")]
    [InlineData("trace m.yaml", "--weights")]
    public void WrongUsageIsExplained(string arguments, string expected) =>
        Assert.Contains(expected, CliRun.Of(arguments.Split(' ')).RequireOneLineError());

    [Fact]
    public void AMissingModelIsNamed()
    {
        folder.Model("model.yaml", "relu");
        string line = CliRun.Of("check", folder.File("modle.yaml")).RequireOneLineError();

        Assert.Contains("modle.yaml", line);
        Assert.Contains("nearest in its folder is 'model.yaml'", line);
    }

    [Xunit.Theory]
    [InlineData("", "empty")]
    [InlineData("a,b,y\n0.1,0.2,0\n0.3,NaN,1\n", "bad.csv")]
    [InlineData("a,b,y\n0.1,0.2,0\n0.3,0.4,7\n0.5,0.1,1\n", "line 3")]
    [InlineData("a,b,c,y\n1,2,3,0\n1,2,3,1\n4,2,3,1\n4,1,1,0\n1,0,0,1\n1,2,3,0\n", "3")]
    public void BadDataIsNamedWithItsPlace(string csv, string expected)
    {
        folder.Write("bad.csv", csv);
        string model = folder.Model("m.yaml", "relu", data: "data: csv:bad.csv", input: "2", outputs: 2);

        Assert.Contains(expected, CliRun.Of("train", model).RequireOneLineError());
    }

    [Xunit.Theory]
    [InlineData("layers: [{dense: 0}]\nloss: mse\noptimizer: sgd")]
    [InlineData("layers: [{dense: 4, name: a, from: b}, {dense: 4, name: b, from: a}]\nloss: mse\noptimizer: sgd")]
    [InlineData("layers: [{dense: 4}]\nloss: mse\noptimizer: {sgd: {learning_rate: -0.1}}")]
    [InlineData("layers: [{dense: 4}]\nloss: cross_entropie\noptimizer: sgd")]
    [InlineData("layers: [dense: ")]
    [InlineData("layers: [{dense: 3000000000}]\nloss: mse\noptimizer: sgd")]
    [InlineData("layers: [{dense: 1000000}, {dense: 1000000}]\nloss: mse\noptimizer: sgd")]
    public void ABadModelIsExplained(string text)
    {
        string model = folder.Write("m.yaml", $"fathom: 1\ninput: 64\n{text}\n");

        CliRun.Of("train", model, "--data", "digits").RequireOneLineError();
    }

    [Fact]
    public void AWrongInputWidthIsExplained()
    {
        string line = CliRun.Of("train", folder.Model("m.yaml", "relu", input: "63")).RequireOneLineError();

        Assert.Contains("63", line);
        Assert.Contains("64", line);
    }

    [Fact]
    public void ATruncatedArchiveIsExplained()
    {
        using MemoryStream zip = new();
        using (ZipArchive archive = new(zip, ZipArchiveMode.Create, leaveOpen: true))
        {
            using StreamWriter config = new(archive.CreateEntry("config.json").Open());
            config.Write(new string('{', 5000));
        }
        File.WriteAllBytes(folder.File("m.keras"), zip.ToArray()[..40]);

        Assert.Contains("m.keras", CliRun.Of("train", folder.File("m.keras"), "--data", "digits").RequireOneLineError());
    }

    [Fact]
    public void NoDataIsExplained() =>
        Assert.Contains("give --data", CliRun.Of("train", folder.Model("m.yaml", "relu", data: "name: m")).RequireOneLineError());

    [Xunit.Theory]
    [InlineData("--run")]
    [InlineData("--out")]
    [InlineData("--json")]
    [InlineData("--checkpoint")]
    public void AnOutputFolderThatIsMissingIsFoundBeforeTraining(string option)
    {
        string model = folder.Model("m.yaml", "relu", epochs: 1_000_000);
        string line = CliRun.Of("train", model, option, folder.File(Path.Combine("nowhere", "x"))).RequireOneLineError();

        Assert.Contains("there is no folder", line);
        Assert.Contains(option, line);
    }

    [Fact]
    public void NothingIsOverwritten()
    {
        string model = folder.Model("m.yaml", "relu", epochs: 1);
        string before = File.ReadAllText(model);
        folder.Write("notes.txt", "mine");

        Assert.Contains("not a Fathom run", CliRun.Of("train", model, "--run", folder.File("notes.txt")).RequireOneLineError());
        Assert.Contains("overwritten", CliRun.Of("fix", model, "--out", model).RequireOneLineError());
        Assert.Contains("overwritten", CliRun.Of("train", model, "--json", model).RequireOneLineError());
        Assert.Equal((before, "mine"), (File.ReadAllText(model), File.ReadAllText(folder.File("notes.txt"))));
        Assert.Equal(["m.yaml", "notes.txt"], folder.Names);
    }

    [Fact]
    public void DataAreNotOverwrittenEither()
    {
        string csv = folder.Write("d.csv", "a,b,y\n1,2,0\n2,1,1\n1,3,0\n3,1,1\n1,4,0\n4,1,1\n");
        string model = folder.Model("m.yaml", "relu", data: "data: csv:d.csv", input: "2", outputs: 2, epochs: 1);
        string before = File.ReadAllText(csv);

        Assert.Contains("overwritten", CliRun.Of("train", model, "--out", csv).RequireOneLineError());
        Assert.Contains("overwritten", CliRun.Of("fix", model, "--json", csv).RequireOneLineError());
        Assert.Equal(before, File.ReadAllText(csv));
    }

    [Fact]
    public void TwoOutputsDoNotShareAFile()
    {
        string model = folder.Model("m.yaml", "relu", epochs: 1);

        Assert.Contains("goes to the same file", CliRun.Of("train", model, "--run", folder.File("a"), "--out", folder.File("a")).RequireOneLineError());
        Assert.Equal(["m.yaml"], folder.Names);
    }

    /// <summary>
    /// The check alone, which touches nothing: a command that failed to make it would, run as root, replace the device.
    /// </summary>
    [Xunit.Theory]
    [InlineData("/dev/null")]
    [InlineData("/dev/stdout")]
    [InlineData("/dev/../dev/null")]
    [InlineData("/proc/self/fd/1")]
    public void ADeviceIsNoOutput(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }
        Assert.Contains("not a file to replace", Assert.Throws<UsageException>(() => OutputPath.Require(path, "--run")).Message);
    }

    [Fact]
    public void ALinkToADeviceIsNoOutput()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }
        File.CreateSymbolicLink(folder.File("link"), "/dev/null");

        Assert.Throws<UsageException>(() => OutputPath.Require(folder.File("link"), "--json"));
    }

    [Fact]
    public void AnExistingRunIsReplacedOnlyOnRequest()
    {
        string model = folder.Model("m.yaml", "relu", epochs: 1);
        string[] command = ["train", model, "--run", folder.File("a.run"), "--quiet"];
        Assert.Equal(ExitStatus.Clean, CliRun.Of(command).Status);

        Assert.Contains("already holds a run", CliRun.Of(command).RequireOneLineError());
        Assert.Equal(ExitStatus.Clean, CliRun.Of([.. command, "--overwrite"]).Status);
    }

    [Fact]
    public void AForeignCheckpointIsRefused()
    {
        string model = folder.Model("m.yaml", "relu", epochs: 1);
        string checkpoint = folder.File("c.safetensors");
        Assert.Equal(ExitStatus.Clean, CliRun.Of("train", model, "--checkpoint", checkpoint, "--quiet").Status);

        Assert.Contains("seed", CliRun.Of("train", model, "--resume", checkpoint, "--seed", "9").RequireOneLineError());
        string other = folder.Model("other.yaml", "relu", width: 8);
        Assert.Contains("dense_1.weight", CliRun.Of("train", other, "--resume", checkpoint).RequireOneLineError());
    }
}
