using System.Diagnostics;

namespace Fathom.Formats.Tests.Code;

/// <summary>A test that runs Python: <c>FATHOM_PYTHON</c>, or else /usr/bin/python3; skipped where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PythonFactAttribute : FactAttribute
{
    private static readonly string Python = Environment.GetEnvironmentVariable("FATHOM_PYTHON") ?? "/usr/bin/python3";
    private static readonly Lazy<bool> HasPython = new(() => File.Exists(Python) && Start(["-c", "pass"], "").Code == 0);
    private static readonly Lazy<bool> HasTorch = new(() => HasPython.Value && Start(["-c", "import torch"], "").Code == 0);

    /// <summary>Whether it needs PyTorch too.</summary>
    public bool NeedsTorch { get; init; }

    public override string? Skip
    {
        get => base.Skip ?? (!HasPython.Value ? $"{Python} cannot be run; FATHOM_PYTHON names another." : NeedsTorch && !HasTorch.Value ? $"{Python} has no PyTorch; FATHOM_PYTHON names another." : null);
        set => base.Skip = value;
    }

    /// <summary>What a program prints.</summary>
    /// <param name="arguments">The program and its arguments.</param>
    public static string Run(IReadOnlyList<string> arguments) => Require(Start(arguments, ""));

    /// <summary>The same of a program that has no file.</summary>
    public static string RunText(string program) => Require(Start(["-"], program));

    private static string Require((int Code, string Output, string Error) done) => done.Code == 0 ? done.Output : throw new InvalidOperationException(done.Error);

    private static (int Code, string Output, string Error) Start(IReadOnlyList<string> arguments, string input)
    {
        ProcessStartInfo info = new(Python, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(info)!;
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }
}
