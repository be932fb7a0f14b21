using System.Text.Json;
using Fathom.Formats.SafeTensors;
using Fathom.Runs;

namespace Fathom.Cli.Tests;

public sealed class TrainTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AHealthyRunLeavesRunFileCheckpointWeightsAndJson()
    {
        string model = folder.Model("model.yaml", "relu", epochs: 3);
        CliRun run = CliRun.Of("train", model, "--run", folder.File("a.run"), "--out", folder.File("w.safetensors"), "--json", folder.File("a.json"), "--threads", "1");

        Assert.True(run.Status == ExitStatus.Clean, run.Output + run.Error);
        Assert.Contains("epoch 3/3", run.Output);
        Assert.Equal(["a.checkpoint.safetensors", "a.json", "a.run", "model.yaml", "w.safetensors"], folder.Names);
        using RunReader reader = RunReader.Open(folder.File("a.run"));
        Assert.Equal(RunStatus.Completed, reader.Status);
        Assert.Equal(3, reader.Evaluations().Count);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder.File("a.json")));
        JsonElement training = json.RootElement.GetProperty("training");
        Assert.InRange(training.GetProperty("accuracy").GetDouble(), 0.8, 1);
        Assert.Equal(3, training.GetProperty("epochs").GetInt32());
        Assert.Equal(reader.LastStep + 1, training.GetProperty("steps").GetInt64());
        Assert.False(json.RootElement.GetProperty("sick").GetBoolean());
        Assert.Equal("none", json.RootElement.GetProperty("cause").GetString());
        Assert.True(SafeTensorsFile.Open(folder.File("w.safetensors")).Contains("dense_1.weight"));

        Assert.Equal(ExitStatus.Clean, CliRun.Of("report", folder.File("a.run")).Status);
        Assert.Contains("<html", File.ReadAllText(folder.File("a.html")));
    }

    [Fact]
    public void ThePlansPartsAndMetricsReachTheRun()
    {
        string model = folder.Write("model.yaml", """
            fathom: 1
            data: digits
            input: 64
            layers: [{dense: 16}, tanh, {dense: 10}]
            loss: cross_entropy
            class_weights: balanced
            optimizer: {stable_adamw: {learning_rate: 0.003}}
            clip: zclip
            regularization: [{l2: 1e-4}, {max_norm: 3}]
            batch: 60
            accumulate: 3
            epochs: 2
            metrics: [top_3, f1]
            """);
        CliRun run = CliRun.Of("train", model, "--run", folder.File("a.run"), "--json", folder.File("a.json"), "--fail-on", "never");
        Assert.True(run.Status == ExitStatus.Clean, run.Output + run.Error);
        Assert.Matches("epoch 2/2 .* accuracy [0-9.]+ %  top_3 [0-9.]+ %  f1 [0-9.]+ %", run.Output);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder.File("a.json")));
        JsonElement training = json.RootElement.GetProperty("training");
        JsonElement metrics = training.GetProperty("metrics");
        Assert.InRange(metrics.GetProperty("top_3").GetDouble(), training.GetProperty("accuracy").GetDouble(), 1);
        Assert.InRange(metrics.GetProperty("f1").GetDouble(), 0, 1);
        using RunReader reader = RunReader.Open(folder.File("a.run"));
        using JsonDocument plan = JsonDocument.Parse(reader.Header.Plan);
        Assert.Equal(3, plan.RootElement.GetProperty("accumulate").GetInt32());
        Assert.Equal("balanced", plan.RootElement.GetProperty("class_weights").GetString());
        Assert.Equal(["l2", "max_norm"], plan.RootElement.GetProperty("regularization").EnumerateArray().Select(rule => rule.GetProperty("kind").GetString()));
        Assert.Equal(["top_3", "f1"], plan.RootElement.GetProperty("metrics").EnumerateArray().Select(metric => metric.GetString()));
    }

    [Fact]
    public void AnInterruptedRunGoesOnBitForBit()
    {
        string model = folder.Model("model.yaml", "{dropout: {rate: 0.1}}", optimizer: "adam", epochs: 4);
        CliRun whole = CliRun.Of("train", model, "--out", folder.File("whole.safetensors"), "--quiet", "--fail-on", "never");
        Assert.True(whole.Status == ExitStatus.Clean, whole.Error);

        using CancellationTokenSource stop = new();
        using StopAt output = new("epoch 2/4", stop);
        int status = CommandLine.Run(["train", model, "--run", folder.File("b.run"), "--fail-on", "never"], output, TextWriter.Null, stop.Token);
        Assert.Equal(ExitStatus.Findings, status);
        Assert.Contains("--resume", output.ToString());
        using (RunReader reader = RunReader.Open(folder.File("b.run")))
        {
            Assert.Equal(RunStatus.Interrupted, reader.Status);
        }

        CliRun rest = CliRun.Of("train", model, "--run", folder.File("b.run"), "--resume", folder.File("b.checkpoint.safetensors"), "--out", folder.File("rest.safetensors"), "--fail-on", "never", "--threads", "3");
        Assert.True(rest.Status == ExitStatus.Clean, rest.Output + rest.Error);
        Assert.Contains("going on from", rest.Output);
        Assert.Equal(File.ReadAllBytes(folder.File("whole.safetensors")), File.ReadAllBytes(folder.File("rest.safetensors")));
        using (RunReader reader = RunReader.Open(folder.File("b.run")))
        {
            Assert.Equal(RunStatus.Completed, reader.Status);
            Assert.Equal(Enumerable.Range(0, (int)reader.LastStep! + 1), reader.Steps().Select(step => (int)step.Step));
        }
    }

    [Fact]
    public void AResumedRunFindsWhatTheWholeOneFinds()
    {
        // The finding is made in the first epoch, before the stop; what follows must neither lose nor repeat it.
        string model = folder.Model("sick.yaml", "sigmoid", depth: 10, width: 32, epochs: 3);
        CliRun whole = CliRun.Of("train", model, "--run", folder.File("whole.run"), "--json", folder.File("whole.json"));
        using CancellationTokenSource stop = new();
        using StopAt output = new("epoch 1/3", stop);
        CommandLine.Run(["train", model, "--run", folder.File("part.run")], output, TextWriter.Null, stop.Token);
        CliRun rest = CliRun.Of("train", model, "--run", folder.File("part.run"), "--resume", folder.File("part.checkpoint.safetensors"), "--json", folder.File("rest.json"));

        Assert.Equal((ExitStatus.Findings, ExitStatus.Findings), (whole.Status, rest.Status));
        Assert.Contains("holds since step", rest.Output);
        Assert.NotEqual("[]", Findings("whole.json"));
        Assert.Equal(Findings("whole.json"), Findings("rest.json"));
        using RunReader wholeRun = RunReader.Open(folder.File("whole.run"));
        using RunReader restRun = RunReader.Open(folder.File("part.run"));
        Assert.Equal(wholeRun.Findings().Select(row => row.Json), restRun.Findings().Select(row => row.Json));

        string Findings(string name)
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder.File(name)));
            return json.RootElement.GetProperty("findings").GetRawText();
        }
    }

    [Fact]
    public void ASickNetworkIsReportedAndFailOnDecides()
    {
        string model = folder.Model("sick.yaml", "sigmoid", depth: 10, width: 32, epochs: 3);
        CliRun run = CliRun.Of("train", model, "--json", folder.File("sick.json"));

        Assert.Equal(ExitStatus.Findings, run.Status);
        Assert.Contains("FTH001", run.Output);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder.File("sick.json")));
        Assert.True(json.RootElement.GetProperty("sick").GetBoolean());
        Assert.Equal("vanishing", json.RootElement.GetProperty("cause").GetString());
        JsonElement finding = json.RootElement.GetProperty("findings").EnumerateArray().First(item => item.GetProperty("rule").GetString() == "FTH001");
        Assert.InRange(finding.GetProperty("step").GetInt64(), 1, 60);
        Assert.Equal(ExitStatus.Clean, CliRun.Of("train", model, "--fail-on", "never", "--quiet", "--epochs", "1").Status);
    }

    [Fact]
    public void RegressionReportsR2()
    {
        string rows = string.Join('\n', Enumerable.Range(0, 200).Select(i => FormattableString.Invariant($"{i % 17 / 17.0:R},{i % 5 / 5.0:R},{i % 17 / 17.0 - i % 5 / 5.0 + 0.25:R}")));
        folder.Write("r.csv", "a,b,y\n" + rows + "\n");
        // The path is found beside the model file, as it is not in the working directory.
        string model = folder.Model("r.yaml", "tanh", data: "data: csv:r.csv", input: "2", loss: "mse", outputs: 1, epochs: 30);
        CliRun run = CliRun.Of("train", model, "--json", "-", "--fail-on", "never");

        Assert.True(run.Status == ExitStatus.Clean, run.Error);
        using JsonDocument json = JsonDocument.Parse(run.Output);
        Assert.InRange(json.RootElement.GetProperty("training").GetProperty("r2").GetDouble(), 0.8, 1);
        Assert.False(json.RootElement.GetProperty("training").TryGetProperty("accuracy", out _));
    }

    [Fact]
    public void QuietSaysNothing()
    {
        CliRun run = CliRun.Of("train", folder.Model("model.yaml", "relu", epochs: 1), "--quiet");

        Assert.Equal(("", ""), (run.Output, run.Error));
    }
}
