using Fathom.Compute;
using Fathom.Formats.Code;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Formats.Tests.Code;

/// <summary><c>FATHOM_ACCEPT=1</c> writes the golden files anew; those in C# are compiled with this project.</summary>
public sealed class ModelCodeTests
{
    private static readonly string[] Models = ["Chain", "Residual", "Sequence", .. TrainedModels.All.Select(model => model.Name)];

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

    public static TheoryData<string> Names() => [.. Models];

    [Xunit.Theory]
    [MemberData(nameof(Names))]
    public void CompiledCodeIsTheModel(string name)
    {
        ModelDefinition model = CodeModels.Of(name), compiled = Compiled(name);
        Assert.Equal(Lines(model.Graph), Lines(compiled.Graph));
        Assert.Equal(model.Plan, compiled.Plan);
        Assert.Equal((model.Name, model.Data), (compiled.Name, compiled.Data));
    }

    public static TheoryData<string> Trained() => [.. TrainedModels.All.Select(model => model.Name)];

    [Xunit.Theory]
    [MemberData(nameof(Trained))]
    public void CompiledCodeTrainsBitForBitAsTheModel(string name)
    {
        ModelDefinition model = CodeModels.Of(name);
        DataSplit data = TrainedModels.Data(model);
        Assert.Equal(Steps(model, data), Steps(Compiled(name), data));
    }

    private static double[] Steps(ModelDefinition model, DataSplit data)
    {
        using WorkerPool pool = new(1);
        using TrainingSession session = new(model, data, pool, watch: false);
        return [.. Enumerable.Range(0, 20).Select(_ => session.Step().Loss)];
    }

    /// <summary>What the golden file, which is compiled with this project, creates.</summary>
    private static ModelDefinition Compiled(string name)
    {
        string source = File.ReadAllText(Path.Combine(Golden, name + ".cs"));
        string type = source.Split("public static class ")[1].Split('\n')[0].Trim();
        return (ModelDefinition)typeof(ModelCodeTests).Assembly.GetType(type, throwOnError: true)!.GetMethod("Create")!.Invoke(null, null)!;
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

    [PythonFact(NeedsTorch = true)]
    public void PyTorchHasParametersOfTheSameShapes()
    {
        foreach (string name in Models)
        {
            ModelDefinition model = CodeModels.Of(name);
            TensorType input = model.Graph.Inputs.Single().Outputs[0];
            string script = ModelCode.Of(model, CodeTarget.PyTorch).Text
                + "\nfor name, p in Model().named_parameters():\n    print(name.replace('.', '_'), tuple(p.shape))\n"
                + $"print(tuple(Model()(torch.zeros({Shape([3, .. input.Shape.Dims.Skip(1).Select(dim => dim.Size)])}{(input.Kind == ElementKind.Index ? ", dtype=torch.long" : "")})).shape))\n";
            string[] ours = [.. model.Graph.Parameters.Where(node => ((Parameter)node.Op).Trainable).Select(node => $"{Identifier(node.Name)} {Shape(node.Outputs[0].Shape.Dims.Select(dim => dim.Size))}").Order(StringComparer.Ordinal)];
            string[] printed = PythonFactAttribute.RunText(script).TrimEnd().Split('\n');
            Assert.Equal(ours, printed[..^1].Order(StringComparer.Ordinal));
            Assert.Equal(Shape([3, .. model.Graph.Output.Shape.Dims.Skip(1).Select(dim => dim.Size)]), printed[^1]);
        }
    }

    /// <summary>A layer's name as an attribute; what stands behind the last dot is the parameter's.</summary>
    private static string Identifier(string parameter) => parameter.Replace('.', '_');

    private static string Shape(IEnumerable<int> extents) => extents.ToArray() is [var one] ? $"({one},)" : $"({string.Join(", ", extents)})";

    private static IEnumerable<string> Lines(Graph graph) => graph.Nodes.Select(node => $"{node} {node.Op}");
}
