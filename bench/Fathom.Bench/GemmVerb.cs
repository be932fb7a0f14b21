using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Fathom.Compute;

namespace Fathom.Bench;

/// <summary><c>gemm</c>: our matrix product beside OpenBLAS's, for the shapes of training.</summary>
internal static class GemmVerb
{
    /// <summary>Batch, inputs and outputs of a layer.</summary>
    private static readonly (int Batch, int In, int Out)[] Shapes =
        [(512, 512, 512), (1024, 1024, 1024), (64, 784, 100), (64, 100, 100), (128, 1024, 1024), (1024, 128, 512), (64, 128, 512)];

    public static Command Create()
    {
        Command command = new("gemm", "Our matrix product beside OpenBLAS's: forward X·Wᵀ, dX = dY·W, dW = dYᵀ·X of layers, in turn.");
        Option<int[]> threads = new("--threads") { HelpName = "N", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1, Environment.ProcessorCount], Description = "Numbers of threads (default 1 and one per processor)." };
        Option<int> rounds = new("--rounds") { HelpName = "N", DefaultValueFactory = _ => 15, Description = "Turns of either; the best counts (default 15)." };
        Option<string?> library = new("--openblas") { HelpName = "PATH", Description = "The OpenBLAS to load (default: the system's)." };
        Option<bool> json = new("--json") { Description = "One JSON line for each shape." };
        foreach (Option option in (Option[])[threads, rounds, library, json])
        {
            command.Options.Add(option);
        }
        command.SetAction(parsed =>
        {
            OpenBlas? peer = OpenBlas.Load(parsed.GetValue(library));
            foreach (int count in parsed.GetValue(threads)!.Distinct())
            {
                MeasureAll(peer, count, parsed.GetValue(rounds), parsed.GetValue(json));
            }
        });
        return command;
    }

    private static void MeasureAll(OpenBlas? peer, int threads, int rounds, bool json)
    {
        peer?.Threads(threads);
        using WorkerPool pool = new(threads);
        List<double> ratios = [];
        foreach ((int batch, int @in, int @out) in Shapes)
        {
            foreach ((string pass, bool transposeA, bool transposeB, int m, int n, int k) in ((string, bool, bool, int, int, int)[])
                [("X·Wᵀ", false, true, batch, @out, @in), ("dY·W", false, false, batch, @in, @out), ("dYᵀ·X", true, false, @out, @in, batch)])
            {
                (double ours, double theirs) = Measure(peer, pool, rounds, transposeA, transposeB, m, n, k);
                double flops = 2.0 * m * n * k;
                if (peer is not null)
                {
                    ratios.Add(theirs / ours);
                }
                Print(json, threads, $"{batch}×{@in}×{@out}", pass, flops / ours * 1e-9, flops / theirs * 1e-9);
            }
        }
        if (peer is not null && !json)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{threads} thread(s): geometric mean {Math.Exp(ratios.Average(Math.Log)):0.000} of OpenBLAS, least {ratios.Min():0.000}"));
        }
    }

    /// <summary>Seconds of the best turn of each; NaN where there is no peer.</summary>
    private static unsafe (double Ours, double Theirs) Measure(OpenBlas? peer, WorkerPool pool, int rounds, bool transposeA, bool transposeB, int m, int n, int k)
    {
        using AlignedMemory<float> a = new(m * k), b = new(k * n), c = new(m * n);
        RandomFill.Normal(new RandomKey(1, 1, 0), 0f, 1f, a.Buffer);
        RandomFill.Normal(new RandomKey(1, 2, 0), 0f, 1f, b.Buffer);
        (int lda, int ldb) = (transposeA ? m : k, transposeB ? k : n);
        int repeats = Math.Max(1, (int)(2e8 / (2.0 * m * n * k)));
        (double ours, double theirs) = (double.PositiveInfinity, double.PositiveInfinity);
        for (int round = 0; round < rounds + 3; round++)
        {
            ours = Math.Min(ours, Seconds(repeats, () => Gemm.Multiply(transposeA, transposeB, m, n, k, a.Buffer, lda, b.Buffer, ldb, c.Buffer, n, accumulate: false, default, pool)));
            if (peer is not null)
            {
                theirs = Math.Min(theirs, Seconds(repeats, () => peer.Multiply(transposeA, transposeB, m, n, k, a.Buffer.Pointer, lda, b.Buffer.Pointer, ldb, c.Buffer.Pointer, n)));
            }
        }
        return (ours, peer is null ? double.NaN : theirs);
    }

    private static double Seconds(int repeats, Action action)
    {
        action();
        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < repeats; i++)
        {
            action();
        }
        return Stopwatch.GetElapsedTime(started).TotalSeconds / repeats;
    }

    private static void Print(bool json, int threads, string shape, string pass, double ours, double theirs)
    {
        if (json)
        {
            Console.WriteLine(new JsonObject { ["threads"] = threads, ["shape"] = shape, ["pass"] = pass, ["ours_gflops"] = Math.Round(ours, 2), ["openblas_gflops"] = double.IsNaN(theirs) ? null : Math.Round(theirs, 2) }.ToJsonString());
            return;
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{threads} thread(s)  {shape,-15} {pass,-6} ours {ours,6:0.0} GF/s  OpenBLAS {theirs,6:0.0}  ratio {ours / theirs:0.00}"));
    }
}
