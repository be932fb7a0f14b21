using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fathom.Bench;

/// <summary>How PyTorch is started.</summary>
/// <param name="Threads">Threads of its kernels.</param>
/// <param name="Captured">Whether forward and backward pass are one TorchScript graph.</param>
/// <param name="ChannelsLast">Whether images have their channels last.</param>
/// <param name="Libraries">Folder with another BLAS; null for the system's.</param>
public sealed record TorchSettings(int Threads, bool Captured, bool ChannelsLast, string? Libraries)
{
    public override string ToString() =>
        $"{Threads} thread(s), {(Captured ? "captured" : "eager")}{(ChannelsLast ? ", channels_last" : "")}{(Libraries is null ? "" : $", {Path.GetFileName(Libraries.TrimEnd('/'))}")}";
}

/// <summary>A process with PyTorch that makes steps when asked to.</summary>
public sealed class TorchPeer : IDisposable
{
    private readonly Process process;

    /// <param name="python">The interpreter, such as /usr/bin/python3.</param>
    /// <param name="script">Path of torch_steps.py.</param>
    /// <param name="workload">Such as W1.</param>
    /// <param name="settings">How it is started.</param>
    /// <param name="preload">Library to load first, such as tcmalloc; null for none.</param>
    /// <param name="memory">Whether it is to be asked for its memory.</param>
    /// <exception cref="BenchException">It does not start.</exception>
    public TorchPeer(string python, string script, string workload, TorchSettings settings, string? preload, bool memory = false)
    {
        ProcessStartInfo start = new(python) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments = [script, "--workload", workload, "--threads", settings.Threads.ToString(CultureInfo.InvariantCulture), "--graph", settings.Captured ? "captured" : "eager"];
        Array.ForEach([.. arguments, .. settings.ChannelsLast ? ["--channels-last"] : (string[])[], .. memory ? ["--memory"] : (string[])[]], start.ArgumentList.Add);
        start.Environment["OMP_NUM_THREADS"] = settings.Threads.ToString(CultureInfo.InvariantCulture);
        start.Environment["OPENBLAS_NUM_THREADS"] = settings.Threads.ToString(CultureInfo.InvariantCulture);
        start.Environment["ATEN_CPU_CAPABILITY"] = System.Runtime.Intrinsics.X86.Avx512F.IsSupported ? "avx512" : "avx2"; // it does not know all processors
        if (settings.Libraries is not null)
        {
            start.Environment["LD_LIBRARY_PATH"] = settings.Libraries;
        }
        if (preload is not null)
        {
            start.Environment["LD_PRELOAD"] = preload;
        }
        process = Process.Start(start) ?? throw new BenchException($"{python} cannot be started");
        process.ErrorDataReceived += (_, line) => LastError = string.IsNullOrWhiteSpace(line.Data) ? LastError : line.Data;
        process.BeginErrorReadLine();
        Version = Read()["torch"]!.GetValue<string>();
    }

    public string Version { get; }

    private string LastError { get; set; } = "it ended";

    /// <summary>Steps for about this long.</summary>
    public Turn Run(string mode, double seconds)
    {
        process.StandardInput.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{mode} {seconds}"));
        process.StandardInput.Flush();
        JsonObject line = Read();
        return new Turn([.. line["ms"]!.AsArray().Select(time => time!.GetValue<double>())], line["cpu_ms"]!.GetValue<double>());
    }

    /// <summary>MB by which its resident set had grown at its peak since before the network was built.</summary>
    public double PeakMegabytes()
    {
        process.StandardInput.WriteLine("memory 0");
        process.StandardInput.Flush();
        return Read()["peak_mb"]!.GetValue<double>();
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            process.StandardInput.Close();
            if (!process.WaitForExit(5000))
            {
                process.Kill();
            }
        }
        process.Dispose();
    }

    private JsonObject Read()
    {
        string? line = process.StandardOutput.ReadLine();
        if (line is null)
        {
            process.WaitForExit();
            throw new BenchException($"PyTorch: {LastError}");
        }
        try
        {
            return JsonNode.Parse(line)!.AsObject();
        }
        catch (JsonException)
        {
            throw new BenchException($"PyTorch: {line}");
        }
    }
}

/// <summary>One kind of step of a peer.</summary>
public sealed class TorchLane(TorchPeer peer, string mode) : ILane
{
    public string Name => $"torch {mode}";

    public Turn Run(double seconds) => peer.Run(mode, seconds);
}
