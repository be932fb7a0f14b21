using System.Text.Json;
using Fathom.Formats;
using Fathom.Runs;
using Fathom.Training.Replay;

namespace Fathom.Cli.Tests;

/// <summary>The step of the first non-finite value, saved and shown again.</summary>
public sealed class ReplayTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ANonFiniteValueIsSavedAndShownNodeByNode()
    {
        CliRun run = CliRun.Of("train", Overflow(rate: "1e30"), "--run", folder.File("a.run"));
        string path = folder.File("a.replay.safetensors");
        Assert.Contains($"fathom trace --replay {path}", run.Output);
        Assert.Contains($"written: {path}", run.Output);
        using (RunReader reader = RunReader.Open(folder.File("a.run")))
        {
            Assert.Contains(reader.Events(), row => row.Kind == "replay" && row.Text.Contains(path, StringComparison.Ordinal));
        }

        CliRun trace = CliRun.Of("trace", "--replay", path, "--json", folder.File("t.json"));
        Assert.Equal(ExitStatus.Findings, trace.Status);
        Assert.Matches(@"^overflow, step 1  32 rows, learning rate 1e\+30, loss (NaN|∞)", trace.Output);
        Assert.Contains("producer  dense_2 (dense): ", trace.Output);
        Assert.Matches(@"\n    from relu_1 \(32, 16\): 0 at \[\d+, \d+\] to [\d.]+e\+30 at \[\d+, \d+\]", trace.Output);
        Assert.Matches(@"\n  passed on by \d+ nodes:\n    relu_2 \(relu\): ", trace.Output);
        Assert.Contains("more; --verbose lists them", trace.Output);
        Assert.DoesNotContain("--verbose", CliRun.Of("trace", "--replay", path, "--verbose").Output);

        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder.File("t.json")));
        JsonElement replay = json.RootElement.GetProperty("replay");
        Assert.Equal((1, false, 32), (replay.GetProperty("step").GetInt32(), replay.GetProperty("finite").GetBoolean(), replay.GetProperty("rows").GetInt32()));
        JsonElement producer = replay.GetProperty("producers")[0];
        Assert.Equal(("dense_2", "dense", "forward"), (producer.GetProperty("node").GetString(), producer.GetProperty("op").GetString(), producer.GetProperty("pass").GetString()));
        Assert.Equal(3, producer.GetProperty("operands").GetArrayLength());
        Assert.True(replay.GetProperty("propagators").GetArrayLength() > 5);
    }

    [Fact]
    public void AnUpdateThatOverflowsIsShownAsTheOptimizers()
    {
        CliRun.Of("train", Overflow(rate: "1e42"), "--replay", folder.File("r.safetensors"), "--quiet");
        CliRun trace = CliRun.Of("trace", "--replay", folder.File("r.safetensors"));

        Assert.Equal(ExitStatus.Findings, trace.Status);
        Assert.Contains("producer  optimizer sgd on dense_1.weight: ", trace.Output);
        Assert.Contains("learning rate 1e+42; whole gradient: ", trace.Output);
    }

    [Fact]
    public void AResumedRunSavesTheSameStep()
    {
        string model = folder.Write("accident.yaml", """
            fathom: 1
            data: digits
            input: 64
            layers: [{dense: 16}, tanh, {dropout: {rate: 0.2}}, {dense: 10}]
            loss: mse
            optimizer: adam
            schedule: {multi_step: {milestones: [2], gamma: 1e25}}
            clip: autoclip
            batch: 32
            epochs: 4
            """);
        CliRun.Of("train", model, "--replay", folder.File("whole.safetensors"), "--quiet");
        using CancellationTokenSource stop = new();
        using StopAt output = new("epoch 1/4", stop);
        CommandLine.Run(["train", model, "--checkpoint", folder.File("c.safetensors"), "--replay", folder.File("early.safetensors")], output, TextWriter.Null, stop.Token);
        CliRun.Of("train", model, "--resume", folder.File("c.safetensors"), "--replay", folder.File("rest.safetensors"), "--quiet", "--threads", "3");

        Assert.DoesNotContain("early.safetensors", folder.Names);
        Assert.Equal(File.ReadAllBytes(folder.File("whole.safetensors")), File.ReadAllBytes(folder.File("rest.safetensors")));
        StepCase step = StepCaseFile.Read(folder.File("whole.safetensors"));
        Assert.True(step.Step >= 90);
        Assert.Equal(ExitStatus.Findings, CliRun.Of("trace", "--replay", folder.File("whole.safetensors")).Status);
    }

    [Fact]
    public void SavingTheStepChangesNothingOfTheRun()
    {
        string model = Overflow(rate: "1e30");
        CliRun with = CliRun.Of("train", model, "--run", folder.File("a.run"), "--json", folder.File("a.json"), "--quiet");
        CliRun without = CliRun.Of("train", model, "--json", folder.File("b.json"), "--quiet");

        Assert.Equal(with.Status, without.Status);
        Assert.Equal(File.ReadAllText(folder.File("b.json")), File.ReadAllText(folder.File("a.json")));
        Assert.Equal(["a.json", "a.replay.safetensors", "a.run", "b.json", "overflow.yaml"], folder.Names);
    }

    [Fact]
    public void WhatDoesNotFitIsOneLine()
    {
        string model = Overflow(rate: "0.1");
        string weights = folder.File("w.safetensors");
        CliRun.Of("train", model, "--out", weights, "--quiet", "--epochs", "1");
        Assert.Contains("is no replay of a step", CliRun.Of("trace", "--replay", weights).RequireOneLineError());
        Assert.Contains("no file", CliRun.Of("trace", "--replay", folder.File("none.safetensors")).RequireOneLineError());
        Assert.Contains("--weights does not go with --replay", CliRun.Of("trace", "--replay", weights, "--weights", weights).RequireOneLineError());
        Assert.Contains("MODEL is missing", CliRun.Of("trace").RequireOneLineError());
        Assert.Contains("--batch is missing", CliRun.Of("trace", model, "--weights", weights).RequireOneLineError());
        Assert.Contains("--replay", CliRun.Of("train", model, "--run", folder.File("a.run"), "--replay", folder.File("a.run")).RequireOneLineError());
    }

    private string Overflow(string rate) =>
        folder.Model("overflow.yaml", "relu", depth: 3, optimizer: $"{{sgd: {{learning_rate: {rate}}}}}");
}
