using System.CommandLine;
using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Diagnosis.Repair;
using Fathom.Formats;
using Fathom.Formats.Code;

namespace Fathom.Cli.Verbs;

/// <summary><c>--code TARGET[=FILE]</c>: the mended model as source code to paste.</summary>
internal sealed class MendedCode
{
    private static readonly (string Name, CodeTarget Target)[] Targets = [("keras", CodeTarget.Keras), ("pytorch", CodeTarget.PyTorch), ("csharp", CodeTarget.CSharp)];

    private readonly List<(CodeTarget Target, string Path)> wanted = [];

    public static Option<string[]> Option() => new("--code")
    {
        HelpName = "TARGET[=FILE]",
        Description = "Write the mended model as code to paste too: keras, pytorch or csharp; may be given several times. FILE defaults to the mended model's name with .keras.py, .pytorch.py or .cs; - for stdout, which then carries nothing else.",
    };

    /// <param name="given">As on the command line.</param>
    /// <param name="model">The model's file, which is not to be replaced.</param>
    /// <param name="mended">Where the mended model goes.</param>
    /// <param name="json">Where JSON goes; null for nowhere.</param>
    /// <param name="terminal">Stdout.</param>
    /// <exception cref="UsageException">A target is unknown, or a file cannot be written.</exception>
    public static MendedCode Read(string[]? given, string model, string mended, string? json, Terminal terminal)
    {
        MendedCode code = new();
        foreach (string text in given ?? [])
        {
            string[] parts = text.Split('=', 2);
            int index = Array.FindIndex(Targets, target => target.Name == parts[0]);
            if (index < 0)
            {
                throw new UsageException($"--code {text}: '{parts[0]}' is no target; give {string.Join(", ", Targets.Select(target => target.Name))}, or one of them with =FILE");
            }
            CodeTarget target = Targets[index].Target;
            string path = parts.Length > 1 ? parts[1] : Path.ChangeExtension(mended, ModelCode.Ending(target));
            if (path == "-")
            {
                if (json == "-" || code.wanted.Any(other => other.Path == "-"))
                {
                    throw new UsageException($"--code {text}: stdout carries one thing only; give a file for the other");
                }
                terminal.ReserveOutput();
            }
            else
            {
                OutputPath.Require(path, "--code", [model, mended, json == "-" ? null : json, .. code.wanted.Select(other => other.Path)]);
            }
            code.wanted.Add((target, path));
        }
        return code;
    }

    /// <summary>Nothing was changed, so there is nothing to write: says so, if code was asked for.</summary>
    public IReadOnlyList<WrittenCode> Spare(Terminal terminal)
    {
        if (wanted.Count > 0)
        {
            terminal.Line("no code is written: nothing was changed", Tone.Dim);
        }
        return [];
    }

    /// <summary>Writes the code of a cure, and says so.</summary>
    /// <exception cref="ModelFormatException">A file cannot be written.</exception>
    public IReadOnlyList<WrittenCode> Write(DoctorReport report, LoadedModel loaded, string path, Terminal terminal)
    {
        List<WrittenCode> written = [];
        foreach ((CodeTarget target, string file) in wanted)
        {
            ModelCode code = ModelCode.Of(MendedModel.ForFile(report, loaded, path), target, MendedModel.Header(report));
            string name = Targets.First(known => known.Target == target).Name;
            foreach (string note in code.Notes)
            {
                terminal.Line($"{name} code does not say: {note}", Tone.Warning);
            }
            written.Add(new WrittenCode(name, file, code.Notes));
            if (file == "-")
            {
                terminal.Results.Write(code.Text);
            }
            else
            {
                ModelWriter.WriteText(file, code.Text);
                terminal.Line($"written: {file}");
            }
        }
        return written;
    }
}

/// <summary>A file of code.</summary>
/// <param name="Target">What it is written for, as <c>--code</c> names it.</param>
/// <param name="File">Where it is; <c>-</c> for stdout.</param>
/// <param name="Notes">What it cannot say.</param>
internal sealed record WrittenCode(string Target, string File, IReadOnlyList<string> Notes);
