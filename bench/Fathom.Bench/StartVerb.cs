using System.CommandLine;
using System.Diagnostics;
using System.Globalization;

namespace Fathom.Bench;

/// <summary><c>start</c>: how long a published <c>fathom</c> takes for a small job, from nothing to its exit.</summary>
internal static class StartVerb
{
    public static Command Create()
    {
        Command command = new("start", "Wall time of a published fathom's `check` on a small model, process start to exit, and the size of its folder.");
        Option<string> folder = new("--published") { HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("artifacts", "fathom"), Description = "The folder that eng/publish.sh wrote (default artifacts/fathom)." };
        Option<string> model = new("--model") { HelpName = "FILE", DefaultValueFactory = _ => Path.Combine("samples", "deep-sigmoid.yaml"), Description = "The model (default samples/deep-sigmoid.yaml)." };
        Option<int> rounds = new("--rounds") { HelpName = "N", DefaultValueFactory = _ => 15, Description = "How often it is started (default 15)." };
        foreach (Option option in (Option[])[folder, model, rounds])
        {
            command.Options.Add(option);
        }
        command.SetAction(parsed =>
        {
            string directory = parsed.GetValue(folder)!;
            string program = Path.Combine(directory, OperatingSystem.IsWindows() ? "fathom.exe" : "fathom");
            if (!File.Exists(program))
            {
                throw new BenchException($"{program} is not there; run eng/publish.sh first or give --published");
            }
            double[] seconds = [.. Enumerable.Range(0, Math.Max(1, parsed.GetValue(rounds))).Select(_ => Run(program, parsed.GetValue(model)!)).Order()];
            FileInfo[] files = new DirectoryInfo(directory).GetFiles("*", SearchOption.AllDirectories);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"fathom check {parsed.GetValue(model)}: median {Samples.MedianOf(seconds) * 1e3:0} ms, least {seconds[0] * 1e3:0}, greatest {seconds[^1] * 1e3:0} of {seconds.Length}; {files.Length} files, {files.Sum(file => file.Length) * 1e-6:0.0} MB"));
        });
        return command;
    }

    private static double Run(string program, string model)
    {
        ProcessStartInfo start = new(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("check");
        start.ArgumentList.Add(model);
        long started = Stopwatch.GetTimestamp();
        using Process process = Process.Start(start) ?? throw new BenchException($"{program} cannot be started");
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return process.ExitCode is 0 or 1 ? seconds : throw new BenchException($"{program} check {model} ended with status {process.ExitCode}");
    }
}
