using System.Diagnostics;
using System.Globalization;
using Fathom.Formats;
using Fathom.Formats.SafeTensors;
using Fathom.Runs;

namespace Fathom.Cli.Tests;

/// <summary>The program as a process, and what a signal leaves behind.</summary>
public sealed class SignalTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Xunit.Theory]
    [InlineData("-INT")]
    [InlineData("-TERM")]
    public async Task ASignalEndsTheRunInGoodOrder(string signal)
    {
        if (OperatingSystem.IsWindows() || signal == "-INT" && IgnoresInterrupts())
        {
            return;
        }
        string model = folder.Model("model.yaml", "relu", epochs: 100_000);
        using Process process = CliRun.Start("train", model, "--run", folder.File("a.run"), "--fail-on", "never");
        await WaitFor(process, "epoch 2/");
        using (Process kill = Process.Start("kill", [signal, process.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            await kill.WaitForExitAsync();
        }
        string rest = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();

        Assert.Equal(ExitStatus.Findings, process.ExitCode);
        Assert.Contains("go on with: fathom train", rest);
        using RunReader reader = RunReader.Open(folder.File("a.run"));
        Assert.Equal(RunStatus.Interrupted, reader.Status);
        SafeTensorsFile checkpoint = SafeTensorsFile.Open(folder.File("a.checkpoint.safetensors"));
        Assert.True(CheckpointFile.IsCheckpoint(checkpoint));
        Assert.Equal($"{reader.LastStep + 1}", checkpoint.Metadata["fathom.next_step"]);
    }

    [Xunit.Theory]
    [InlineData(true, "train", "model.yaml", "--epochs", "3")]
    [InlineData(true, "fix", "model.yaml")]
    [InlineData(false, "check", "model.yaml")]
    [InlineData(false, "trace", "model.yaml")]
    [InlineData(false)]
    public void OnlyWhatHasARunToFinishHoldsASignalUp(bool expected, params string[] args) => Assert.Equal(expected, CommandLine.EndsInGoodOrder(args));

    [Fact]
    public async Task AKilledRunIsReadableAndGoesOnBitForBit()
    {
        string model = folder.Model("model.yaml", "relu", epochs: 100_000);
        using (Process process = CliRun.Start("train", model, "--run", folder.File("k.run"), "--fail-on", "never"))
        {
            await WaitFor(process, "epoch 3/");
            process.Kill();
            await process.WaitForExitAsync();
        }
        long last;
        using (RunReader reader = RunReader.Open(folder.File("k.run")))
        {
            Assert.Equal(RunStatus.Unfinished, reader.Status);
            last = reader.LastStep!.Value;
            Assert.Equal(Enumerable.Range(0, (int)last + 1), reader.Steps().Select(step => (int)step.Step));
        }
        int epochs = (int)(last / 45) + 2; // 1437 training rows are 45 steps an epoch

        CliRun rest = CliRun.Of("train", model, "--epochs", $"{epochs}", "--run", folder.File("k.run"), "--resume", folder.File("k.checkpoint.safetensors"), "--out", folder.File("rest.safetensors"), "--fail-on", "never");
        CliRun whole = CliRun.Of("train", model, "--epochs", $"{epochs}", "--out", folder.File("whole.safetensors"), "--fail-on", "never");

        Assert.True((rest.Status, whole.Status) == (0, 0), rest.Error + whole.Error);
        Assert.Equal(File.ReadAllBytes(folder.File("whole.safetensors")), File.ReadAllBytes(folder.File("rest.safetensors")));
    }

    /// <summary>What a shell starts in the background is to ignore SIGINT, and so are the programs that it starts: then there is nothing to send.</summary>
    private static bool IgnoresInterrupts() => File.Exists("/proc/self/status")
        && File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith("SigIgn:", StringComparison.Ordinal)) is { } ignored
        && (ulong.Parse(ignored.AsSpan("SigIgn:".Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & 0b10) != 0;

    private static async Task WaitFor(Process process, string start)
    {
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith(start, StringComparison.Ordinal))
            {
                return;
            }
        }
        Assert.Fail($"The program ended by itself: {await process.StandardError.ReadToEndAsync()}");
    }
}
