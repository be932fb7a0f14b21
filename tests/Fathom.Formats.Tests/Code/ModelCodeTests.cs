using System.Diagnostics;
using Fathom.Formats.Code;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Training;

namespace Fathom.Formats.Tests.Code;

/// <summary><c>FATHOM_ACCEPT=1</c> writes the golden files anew; those in C# are compiled with this project.</summary>
public sealed class ModelCodeTests
{
    private static readonly string[] Models = ["Chain", "Residual", "Sequence"];

    private static string Golden => Path.Combine(RepositoryFiles.Root, "tests", "Fathom.Formats.Tests", "Code", "Golden");

    public static TheoryData<string, CodeTarget> All()
    {
        TheoryData<string, CodeTarget> data = [];
        foreach (string model in Models)
        {
            foreach (CodeTarget target in Enum.GetValues<CodeTarget>())
            {
                data.Add(model, target);
            }
        }
        return data;
    }

    [Xunit.Theory]
    [MemberData(nameof(All))]
    public void CodeIsTheAcceptedOne(string name, CodeTarget target)
    {
        string text = ModelCode.Of(CodeModels.Of(name), target, ["Mended."]).Text;
        string path = Path.Combine(Golden, name + ModelCode.Ending(target));
        if (Environment.GetEnvironmentVariable("FATHOM_ACCEPT") == "1")
        {
            File.WriteAllText(path, text);
        }
        Assert.Equal(File.ReadAllText(path), text);
    }

    [Xunit.Theory]
    [InlineData("Chain")]
    [InlineData("Residual")]
    [InlineData("Sequence")]
    public void CompiledCodeIsTheModel(string name)
    {
        ModelDefinition model = CodeModels.Of(name), compiled = name switch { "Chain" => Chain.Create(), "Residual" => ResidualModel.Create(), _ => Sequence.Create() };
        Assert.Equal(Lines(model.Graph), Lines(compiled.Graph));
        Assert.Equal(model.Plan, compiled.Plan);
        Assert.Equal((model.Name, model.Data), (compiled.Name, compiled.Data));
    }

    [Fact]
    public void WhatHasNoFormIsSaidByNameAndOp()
    {
        ModelDefinition model = CodeModels.Of("Chain") with { Graph = Network.Input(4, 8).Then(new Dense(8), "first").Then(new Capsule(2, 4), "caps").Build() };
        foreach (CodeTarget target in (CodeTarget[])[CodeTarget.Keras, CodeTarget.PyTorch])
        {
            ModelCode code = ModelCode.Of(model, target);
            Assert.Contains(code.Notes, note => note.StartsWith("caps (capsule): ", StringComparison.Ordinal));
            Assert.Contains("# not said here: caps (capsule): ", code.Text, StringComparison.Ordinal);
            Assert.Contains("raise NotImplementedError(\"caps (capsule)\")", code.Text, StringComparison.Ordinal);
        }
    }

    [TorchFact]
    public void PyTorchHasParametersOfTheSameShapes()
    {
        foreach (string name in Models)
        {
            ModelDefinition model = CodeModels.Of(name);
            string script = ModelCode.Of(model, CodeTarget.PyTorch).Text
                + "\nfor name, p in Model().named_parameters():\n    print(name, tuple(p.shape))\n"
                + $"print(tuple(Model()(torch.zeros({(model.Graph.Inputs.Single().Outputs[0].Kind == ElementKind.Index ? "(3, 12), dtype=torch.long" : name == "Chain" ? "3, 64" : "3, 1, 8, 8")})).shape))\n";
            string[] ours = [.. model.Graph.Parameters.Where(node => ((Parameter)node.Op).Trainable).Select(node => $"{node.Name} {Shape(node.Outputs[0].Shape.Dims.Select(dim => dim.Size))}").Order(StringComparer.Ordinal)];
            string[] printed = TorchFactAttribute.Run(script).TrimEnd().Split('\n');
            Assert.Equal(ours, printed[..^1].Order(StringComparer.Ordinal));
            Assert.Equal(Shape([3, .. model.Graph.Output.Shape.Dims.Skip(1).Select(dim => dim.Size)]), printed[^1]);
        }
    }

    private static string Shape(IEnumerable<int> extents) => extents.ToArray() is [var one] ? $"({one},)" : $"({string.Join(", ", extents)})";

    private static IEnumerable<string> Lines(Graph graph) => graph.Nodes.Select(node => $"{node} {node.Op}");
}

/// <summary>A test that runs Python with PyTorch; skipped where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class TorchFactAttribute : FactAttribute
{
    private const string Python = "/usr/bin/python3";

    public TorchFactAttribute()
    {
        if (!File.Exists(Python) || Start("import torch").Code != 0)
        {
            Skip = $"{Python} has no PyTorch.";
        }
    }

    public static string Run(string script) => Start(script) is { Code: 0 } done ? done.Output : throw new InvalidOperationException(Start(script).Output);

    private static (int Code, string Output) Start(string script)
    {
        ProcessStartInfo info = new(Python, ["-"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(info)!;
        process.StandardInput.Write(script);
        process.StandardInput.Close();
        string output = process.StandardOutput.ReadToEnd(), error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, process.ExitCode == 0 ? output : error);
    }
}
