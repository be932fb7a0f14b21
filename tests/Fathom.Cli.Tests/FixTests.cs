using System.Text.Json;

namespace Fathom.Cli.Tests;

public sealed class FixTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ASickNetworkIsMendedProvenAndWritten()
    {
        string model = folder.Model("sick.yaml", "sigmoid", depth: 10, width: 32, epochs: 4);
        CliRun run = CliRun.Of("fix", model, "--seeds", "1", "--run", folder.File("control.run"), "--json", folder.File("fix.json"), "--code", "pytorch", "--code", $"csharp={folder.File("Mended.cs")}");

        Assert.True(run.Status == ExitStatus.Clean, run.Output + run.Error);
        Assert.Equal("", run.Error);
        Assert.True(File.Exists(folder.File("sick.fixed.yaml")));
        foreach (string part in (string[])["FTH001", "why", "theory", "remedy", "before", "after", "verdict", "sick.fixed.yaml", "▁", "█"])
        {
            Assert.Contains(part, run.Output);
        }
        Assert.Contains("class Model(nn.Module):", File.ReadAllText(folder.File("sick.fixed.pytorch.py")));
        Assert.Contains("public static ModelDefinition Create()", File.ReadAllText(folder.File("Mended.cs")));
        Assert.Contains("Mended.cs", run.Output);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder.File("fix.json")));
        JsonElement root = json.RootElement;
        Assert.True(root.GetProperty("sick").GetBoolean());
        Assert.InRange(root.GetProperty("training").GetProperty("accuracy").GetDouble(), 0, 0.3);
        JsonElement repair = root.GetProperty("repair");
        Assert.True(repair.GetProperty("accuracy").GetDouble() > repair.GetProperty("control_accuracy").GetDouble() + 0.3);
        Assert.NotEmpty(repair.GetProperty("applied").EnumerateArray());
        Assert.Equal(1, repair.GetProperty("seeds").GetInt32());
        Assert.Contains(repair.GetProperty("trials").EnumerateArray(), trial => trial.GetProperty("fate").GetString() == "accepted");
        Assert.Equal([("pytorch", folder.File("sick.fixed.pytorch.py")), ("csharp", folder.File("Mended.cs"))],
            repair.GetProperty("code").EnumerateArray().Select(code => (code.GetProperty("target").GetString()!, code.GetProperty("file").GetString()!)));
        JsonElement journal = repair.GetProperty("journal");
        Assert.Equal(JsonValueKind.Null, journal.GetProperty("file").ValueKind); // deleted, since all is done
        Assert.False(journal.GetProperty("taken_over").GetProperty("control").GetBoolean());
        Assert.Equal(repair.GetProperty("cost").GetProperty("total").GetDouble(), journal.GetProperty("computed").GetDouble(), 3);

        CliRun mended = CliRun.Of("train", folder.File("sick.fixed.yaml"));
        Assert.True(mended.Status == ExitStatus.Clean, mended.Output + mended.Error);
    }

    [Fact]
    public void AKerasModelIsMendedAsAKerasModel()
    {
        string layers = string.Join(',', Enumerable.Range(1, 10).Select(i => $$$"""{"class_name":"Dense","config":{"name":"d{{{i}}}","units":32,"activation":"sigmoid"}}"""));
        File.WriteAllText(folder.File("sick.json"), $$$"""
            {"class_name":"Sequential","config":{"name":"s","layers":[{{{layers}}},{"class_name":"Dense","config":{"name":"out","units":10,"activation":"softmax"}}],"build_input_shape":[null,64]},
            "compile_config":{"optimizer":{"class_name":"SGD","config":{"learning_rate":0.1}},"loss":"sparse_categorical_crossentropy"}}
            """);
        CliRun run = CliRun.Of("fix", folder.File("sick.json"), "--data", "digits", "--epochs", "6", "--seeds", "1");

        Assert.True(run.Status == ExitStatus.Clean, run.Output + run.Error);
        string written = folder.Names.Single(name => name is "sick.fixed.json" or "sick.fixed.yaml");
        Assert.Contains(written, run.Output);
        Assert.Contains("+++ ", File.ReadAllText(folder.File(written + ".diff")));
        CliRun mended = CliRun.Of("train", folder.File(written), "--data", "digits", "--epochs", "6");
        Assert.True(mended.Status == ExitStatus.Clean, mended.Output + mended.Error);
    }

    [Theory]
    [InlineData("jax", "--code jax: 'jax' is no target; give keras, pytorch, csharp, or one of them with =FILE")]
    [InlineData("keras=", "--code: the path is empty")]
    public void CodeForSomethingElseIsRefusedAtOnce(string code, string message)
    {
        CliRun run = CliRun.Of("fix", folder.Model("sick.yaml", "sigmoid", depth: 10), "--code", code);

        Assert.Equal(ExitStatus.BadInput, run.Status);
        Assert.Contains(message, run.Error);
        Assert.Equal(["sick.yaml"], folder.Names);
    }

    [Fact]
    public void AHealthyNetworkIsLeftAlone()
    {
        CliRun run = CliRun.Of("fix", folder.Model("well.yaml", "relu", optimizer: "{sgd: {learning_rate: 0.02, momentum: 0.9}}", epochs: 8), "--seeds", "1");

        Assert.True(run.Status == ExitStatus.Clean, run.Output + run.Error);
        Assert.Contains("healthy", run.Output);
        Assert.Contains("cost: 1.00 full training runs", run.Output);
        Assert.Equal(["well.yaml"], folder.Names);
    }

    [Fact]
    public void AnInterruptionChangesNothing()
    {
        using CancellationTokenSource stopped = new();
        stopped.Cancel();
        CliRun run = CliRun.Of(stopped.Token, "fix", folder.Model("sick.yaml", "sigmoid", depth: 10));

        Assert.Equal(ExitStatus.Findings, run.Status);
        Assert.Contains("interrupted", run.Error);
        Assert.Equal(["sick.yaml"], folder.Names);
    }

    [Fact]
    public void AnInterruptedFixGoesOnWithTheSameCommand()
    {
        string model = folder.Model("sick.yaml", "sigmoid", depth: 10, width: 32, epochs: 4);
        using CancellationTokenSource stopped = new();
        StopAt output = new("why", stopped); // the control has ended
        int status = CommandLine.Run(["fix", model, "--seeds", "1", "--fresh"], output, TextWriter.Null, stopped.Token);

        Assert.Equal(ExitStatus.Findings, status);
        Assert.Equal(["sick.fix.journal", "sick.yaml"], folder.Names);
        Assert.Contains($"kept in {folder.File("sick.fix.journal")}: the control", output.ToString());
        Assert.Contains($"go on with: fathom fix {model} --seeds 1{output.NewLine}", output.ToString());

        byte[] journal = File.ReadAllBytes(folder.File("sick.fix.journal"));
        Assert.Contains("other options", CliRun.Of("fix", model).RequireOneLineError());
        Assert.Equal(journal, File.ReadAllBytes(folder.File("sick.fix.journal")));

        CliRun rest = CliRun.Of("fix", model, "--seeds", "1", "--journal", folder.File("sick.fix.journal"), "--json", folder.File("rest.json"));
        using (JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder.File("rest.json"))))
        {
            JsonElement repair = json.RootElement.GetProperty("repair"), kept = repair.GetProperty("journal");
            Assert.Equal(folder.File("sick.fix.journal"), kept.GetProperty("file").GetString());
            Assert.True(kept.GetProperty("taken_over").GetProperty("control").GetBoolean());
            Assert.True(kept.GetProperty("computed").GetDouble() - kept.GetProperty("repeated").GetDouble() < repair.GetProperty("cost").GetProperty("total").GetDouble());
        }
        File.Delete(folder.File("rest.json"));
        Assert.True(rest.Status == ExitStatus.Clean, rest.Output + rest.Error);
        foreach (string part in (string[])["going on from", "FTH001", "why", "taken over from", "written: "])
        {
            Assert.Contains(part, rest.Output);
        }
        Assert.Contains("sick.fix.journal", folder.Names); // asked for, so it stays

        CliRun again = CliRun.Of("fix", model, "--seeds", "1");
        Assert.Contains("computed now: 0.00 full training runs", again.Output);
        Assert.Equal(rest.Output.Split('\n').Single(line => line.StartsWith("verdict", StringComparison.Ordinal)), again.Output.Split('\n').Single(line => line.StartsWith("verdict", StringComparison.Ordinal)));
        Assert.Equal(["sick.fixed.yaml", "sick.fixed.yaml.diff", "sick.yaml"], folder.Names);
    }

    [Fact]
    public void ARecordedFixGoesOnToo()
    {
        string model = folder.Model("sick.yaml", "sigmoid", depth: 10, width: 32, epochs: 4);
        using CancellationTokenSource stopped = new();
        StopAt output = new("why", stopped);
        CommandLine.Run(["fix", model, "--seeds", "1", "--run", folder.File("c.run")], output, TextWriter.Null, stopped.Token);

        Assert.Contains("c.fix.journal", folder.Names);
        Assert.Contains($"--run {folder.File("c.run")} --overwrite", output.ToString());
        CliRun rest = CliRun.Of("fix", model, "--seeds", "1", "--run", folder.File("c.run"), "--overwrite");
        Assert.True(rest.Status == ExitStatus.Clean, rest.Output + rest.Error);
        Assert.Contains("the control is run again, to be recorded", rest.Output);
        Assert.DoesNotContain("c.fix.journal", folder.Names);
    }

    [Fact]
    public void AJournalThatIsAnotherFileIsRefused()
    {
        string model = folder.Model("sick.yaml", "sigmoid");
        string note = folder.Write("note.txt", "mine\n");
        Assert.Contains("not a journal", CliRun.Of("fix", model, "--journal", note).RequireOneLineError());
        Assert.Contains("not a journal", CliRun.Of("fix", model, "--journal", note, "--fresh").RequireOneLineError());
        Assert.Contains("read by the same command", CliRun.Of("fix", model, "--journal", model).RequireOneLineError());
        Assert.Equal("mine\n", File.ReadAllText(note));
    }
}
