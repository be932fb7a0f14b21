using System.Text.Json;
using System.Text.RegularExpressions;
using Fathom.Formats;
using Fathom.Formats.SafeTensors;
using Fathom.Runs;

namespace Fathom.Cli.Tests;

/// <summary>What <c>fathom train</c> does at an error finding, and what it leaves behind.</summary>
public sealed class OnFindingTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void WarnSaysItOnStderrInOneLineAndGoesOn()
    {
        CliRun run = CliRun.Of("train", folder.Model("sick.yaml", "sigmoid", depth: 10, width: 32), "--on-finding", "warn", "--quiet", "--json", folder.File("a.json"));

        Assert.Equal(ExitStatus.Findings, run.Status);
        Assert.Empty(run.Output);
        string line = run.Error.TrimEnd('\n').Split('\n')[0];
        Assert.Matches(@"^fathom: step \d+: FTH001 vanishing gradient \(cause vanishing\) in dense_1$", line);
        Assert.Equal(("completed", 90), Training("a.json"));
    }

    [Fact]
    public void StopEndsAtTheFindingAndTheRunCanBeGoneOnWithBitForBit()
    {
        string model = folder.Model("sick.yaml", "sigmoid", depth: 10, width: 32);
        CliRun stopped = CliRun.Of("train", model, "--on-finding", "stop", "--run", folder.File("a.run"), "--json", folder.File("a.json"));
        (string status, int steps) = Training("a.json");

        Assert.Equal((ExitStatus.Findings, "stopped"), (stopped.Status, status));
        Assert.InRange(steps, 2, 60);
        Assert.Contains($"stopped after step {steps - 1}: FTH001 vanishing gradient", stopped.Output);
        using (RunReader reader = RunReader.Open(folder.File("a.run")))
        {
            Assert.Equal((RunStatus.Stopped, (long?)steps - 1), (reader.Status, reader.LastStep));
            Assert.Contains(reader.Events(), row => row.Kind == "stopped");
        }

        CliRun rest = CliRun.Of("train", model, "--resume", folder.File("a.checkpoint.safetensors"), "--out", folder.File("rest.safetensors"), "--fail-on", "never");
        Assert.True(rest.Status == ExitStatus.Clean, rest.Output + rest.Error);
        CliRun.Of("train", model, "--out", folder.File("whole.safetensors"), "--quiet");
        Assert.Equal(File.ReadAllBytes(folder.File("whole.safetensors")), File.ReadAllBytes(folder.File("rest.safetensors")));
    }

    [Fact]
    public void RollbackWritesTheHealthyWeightsAndSaysWhereTheyAreFrom()
    {
        CliRun run = CliRun.Of("train", Accident(), "--on-finding", "rollback", "--run", folder.File("a.run"), "--out", folder.File("w.safetensors"), "--json", folder.File("a.json"));

        (string status, int step) = Training("a.json");
        Assert.Equal((ExitStatus.Findings, "rolled-back"), (run.Status, status));
        Assert.Contains($"back to step {step} (no error finding held there", run.Output);
        Assert.Equal($"{step}", CheckpointFile.StepOf(folder.File("a.checkpoint.safetensors")));
        Assert.InRange(step, 100, 4 * 45);
        Assert.All(Elements("w.safetensors"), x => Assert.True(float.IsFinite(x)));
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder.File("a.json")));
        Assert.True(json.RootElement.GetProperty("sick").GetBoolean());
        JsonElement action = json.RootElement.GetProperty("training").GetProperty("action");
        Assert.Equal((true, step, true), (action.GetProperty("rolled_back").GetBoolean(), action.GetProperty("to").GetInt32(), action.GetProperty("proven").GetBoolean()));
        Assert.InRange(json.RootElement.GetProperty("training").GetProperty("accuracy").GetDouble(), 0.8, 1);

        // The weights are those that a run of so many steps has, and the checkpoint goes on from them to the same accident.
        CliRun again = CliRun.Of("train", folder.File("accident.yaml"), "--resume", folder.File("a.checkpoint.safetensors"), "--on-finding", "stop", "--json", folder.File("b.json"));
        Assert.Equal(ExitStatus.Findings, again.Status);
        using JsonDocument second = JsonDocument.Parse(File.ReadAllText(folder.File("b.json")));
        Assert.Equal(Rules(json), Rules(second));
    }

    [Fact]
    public void AKilledRunRollsBackToWhereTheWholeOneDoes()
    {
        string model = Accident();
        CliRun.Of("train", model, "--on-finding", "rollback", "--checkpoint", folder.File("whole.safetensors"), "--out", folder.File("whole.weights"), "--quiet");
        using CancellationTokenSource stop = new();
        using StopAt output = new("epoch 4/6", stop); // the last one before the rate rises
        CommandLine.Run(["train", model, "--on-finding", "rollback", "--checkpoint", folder.File("part.safetensors")], output, TextWriter.Null, stop.Token);
        Assert.Contains("part.healthy.safetensors", folder.Names);
        CliRun rest = CliRun.Of("train", model, "--on-finding", "rollback", "--checkpoint", folder.File("part.safetensors"), "--resume", folder.File("part.safetensors"), "--out", folder.File("part.weights"));

        Assert.Contains("no error finding held there", rest.Output);
        Assert.Equal(CheckpointFile.StepOf(folder.File("whole.safetensors")), CheckpointFile.StepOf(folder.File("part.safetensors")));
        Assert.Equal(File.ReadAllBytes(folder.File("whole.weights")), File.ReadAllBytes(folder.File("part.weights")));
    }

    [Fact]
    public void TheTerminalSaysWhenTheRunWillStop()
    {
        CliRun run = CliRun.Of("train", folder.Model("sick.yaml", "sigmoid", depth: 10, width: 32, epochs: 10), "--on-finding", "stop", "--json", folder.File("a.json"));

        Match announced = Regex.Match(run.Output, @"(?m)^  the run stops at step (\d+) if there is an error without a break until then$");
        Match stopped = Regex.Match(run.Output, @"(?m)^stopped after step (\d+): FTH001 vanishing gradient, which has held since step (\d+)$");
        Assert.True(announced.Success && stopped.Success, run.Output);
        Assert.InRange(int.Parse(stopped.Groups[1].Value) - int.Parse(announced.Groups[1].Value), 0, 2); // inspections are two steps apart
        Assert.InRange(Training("a.json").Steps, 10, 0.08 * 450);
    }

    /// <summary>What 'fathom fix' makes of samples/deep-sigmoid.yaml, for five epochs: its loss jumps up once in the second.</summary>
    [Xunit.Theory]
    [InlineData("stop")]
    [InlineData("rollback")]
    public void ASoundRunGoesOn(string action)
    {
        string model = folder.Write("sound.yaml", """
            fathom: 1
            data: digits
            seed: 1
            input: 64
            layers: [{repeat: 20, layers: [{dense: {units: 64, weight: xavier_normal}}, elu]}, {dense: 10}]
            loss: cross_entropy
            optimizer: {sgd: 0.1}
            batch: 32
            epochs: 5
            """);
        CliRun run = CliRun.Of("train", model, "--on-finding", action, "--json", folder.File("a.json"));

        Assert.True(run.Status == ExitStatus.Clean, run.Output);
        Assert.Equal(("completed", 225), Training("a.json"));
        Assert.DoesNotContain("error FTH", run.Output);
    }

    [Fact]
    public void AnOutputThatNoTrainingHelpsIsNotTrainedAndOneThatMayLearnIs()
    {
        CliRun constant = CliRun.Of("train", Binary("constant.yaml", ", softmax"), "--on-finding", "stop", "--json", folder.File("a.json"));
        Assert.Equal((ExitStatus.Findings, ("stopped", 0)), (constant.Status, Training("a.json")));
        Assert.Contains("not trained: FTH010", constant.Output);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder.File("a.json")));
        Assert.True(json.RootElement.GetProperty("sick").GetBoolean());

        CliRun linear = CliRun.Of("train", Binary("linear.yaml", ""), "--on-finding", "stop", "--json", folder.File("b.json"));
        Assert.True(Training("b.json").Steps > 0, linear.Output);
        Assert.Single(Regex.Matches(linear.Output, "gives any numbers, but the loss"));
        Assert.Matches(@"(?m)^warning FTH010 output does not suit the loss  \(before training", linear.Output);

        string Binary(string name, string output) => folder.Write(name, $$$"""
            fathom: 1
            data: circles
            seed: 3
            input: 2
            layers: [{dense: 16}, relu, {dense: 1}{{{output}}}]
            loss: {binary_cross_entropy: {from_logits: false}}
            optimizer: {adam: 0.001}
            batch: 32
            epochs: 2
            """);
    }

    [Fact]
    public void TheModelFileMaySayIt()
    {
        string model = folder.Model("sick.yaml", "sigmoid", depth: 10, width: 32);
        File.AppendAllText(model, "\non_finding: stop\n");
        CliRun.Of("train", model, "--json", folder.File("a.json"), "--quiet");
        Assert.Equal("stopped", Training("a.json").Status);
        CliRun.Of("train", model, "--json", folder.File("b.json"), "--quiet", "--on-finding", "report");
        Assert.Equal("completed", Training("b.json").Status);
    }

    [Fact]
    public void AnUnknownActionIsOneLine() =>
        Assert.Matches("'panic'.*rollback", CliRun.Of("train", folder.Model("m.yaml", "relu"), "--on-finding", "panic").RequireOneLineError());

    /// <summary>Learns well for four epochs of 45 steps; then the rate rises a million-fold.</summary>
    private string Accident() => folder.Write("accident.yaml", """
        fathom: 1
        data: digits
        seed: 3
        input: 64
        layers: [{dense: {units: 32, weight: he_normal}}, relu, {dense: 10}]
        loss: cross_entropy
        optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}
        schedule: {multi_step: {milestones: [4], gamma: 1e6}}
        batch: 32
        epochs: 6
        """);

    private (string Status, int Steps) Training(string name)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder.File(name)));
        JsonElement training = json.RootElement.GetProperty("training");
        return (training.GetProperty("status").GetString()!, training.GetProperty("steps").GetInt32());
    }

    private static string[] Rules(JsonDocument json) => [.. json.RootElement.GetProperty("findings").EnumerateArray().Select(item => item.GetProperty("rule").GetString()!)];

    private IEnumerable<float> Elements(string name)
    {
        SafeTensorsFile file = SafeTensorsFile.Open(folder.File(name));
        return file.Names.SelectMany(tensor => file.Tensor(tensor).ToSingles());
    }
}
