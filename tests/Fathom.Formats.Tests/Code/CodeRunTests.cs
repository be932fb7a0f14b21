using System.Runtime.InteropServices;
using System.Text.Json;
using Fathom.Compute;
using Fathom.Formats.Code;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Formats.Tests.Code;

/// <summary>The code that a user pastes is run: PyTorch's trains as Fathom does, Keras' says nothing that Keras does not know.</summary>
public sealed class CodeRunTests : IDisposable
{
    /// <summary>Epochs over which both runs are compared weight by weight; rounding drives them apart slowly.</summary>
    private const int SameEpochs = 2;

    private readonly string folder = Directory.CreateTempSubdirectory("fathom-code-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [PythonFact(NeedsTorch = true)]
    public void PyTorchCodeTrainsAsFathomDoes()
    {
        Dictionary<string, double> reached = [];
        foreach (ModelDefinition model in TrainedModels.All)
        {
            reached[model.Name] = Prepare(model);
        }
        string[] lines = PythonFactAttribute.Run([Script("torch_run.py"), .. TrainedModels.All.Select(model => Path.Combine(folder, model.Name))]).TrimEnd().Split('\n');
        List<string> wrong = [];
        foreach ((ModelDefinition model, string line) in TrainedModels.All.Zip(lines))
        {
            JsonElement result = JsonDocument.Parse(line).RootElement;
            double apart = result.GetProperty("apart").GetDouble(), metric = result.GetProperty("metric").GetDouble(), ours = reached[model.Name];
            if (!(ours > 0.8 && apart < 0.01 && Math.Abs(metric - ours) < 0.06))
            {
                wrong.Add($"{model.Name}: from the same weights PyTorch's end {apart} of the way apart; from its own it reaches {metric}, Fathom {ours}");
            }
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [PythonFact]
    public void KerasCodeUsesWhatKerasHas()
    {
        List<string> files = [];
        foreach ((string name, ModelDefinition model) in EveryLayer.Models().Concat(TrainedModels.All.Select(model => (model.Name, model))))
        {
            ModelCode code = ModelCode.Of(model, CodeTarget.Keras);
            if (code.Notes.Count == 0)
            {
                files.Add(Path.Combine(folder, name + ".py"));
                File.WriteAllText(files[^1], code.Text);
            }
        }
        Assert.True(files.Count > 60, $"only {files.Count} models have a form in Keras");
        Assert.Equal("", PythonFactAttribute.Run([Script("keras_stub.py"), .. files]));
    }

    [PythonFact]
    public void TheStandInForKerasRefusesWhatKerasRefuses()
    {
        (string Bad, string Complaint)[] cases =
        [
            ("layers.Dense(4, kernel_init=\"zeros\")(x)", "unexpected keyword argument 'kernel_init'"),
            ("layers.Conv2D(4, 3, padding=\"full\")(x)", "padding is 'full'"),
            ("layers.Swish()(x)", "no attribute 'Swish'"),
            ("layers.Dense(4)(3)", "is no tensor"),
            ("layers.Add()([x])", "called on"),
            ("keras.ops.gelu(x, approx=True)", "unexpected keyword argument 'approx'"),
        ];
        foreach ((string bad, string complaint) in cases)
        {
            string file = Path.Combine(folder, "bad.py");
            File.WriteAllText(file, $"import keras\nfrom keras import layers\nx = keras.Input((4,))\n{bad}\n");
            Assert.Contains(complaint, PythonFactAttribute.Run([Script("keras_stub.py"), file]), StringComparison.Ordinal);
        }
    }

    [PythonFact(NeedsTorch = true)]
    public void EveryLayerRunsInPyTorch()
    {
        System.Text.StringBuilder script = new("import torch\n\n");
        List<string> expected = [];
        foreach ((string name, ModelDefinition model) in EveryLayer.Models())
        {
            ModelCode code = ModelCode.Of(model, CodeTarget.PyTorch);
            // nn.RMSNorm came with PyTorch 2.4.
            if (code.Notes.Count > 0 || code.Text.Contains("nn.RMSNorm", StringComparison.Ordinal))
            {
                continue;
            }
            string file = Path.Combine(folder, name + ".py");
            File.WriteAllText(file, code.Text);
            TensorType input = model.Graph.Inputs.Single().Outputs[0];
            string shape = string.Join(", ", input.Shape.Dims.Skip(1));
            string x = input.Kind == ElementKind.Index ? $"torch.ones(3, {shape}, dtype=torch.int64)" : $"torch.rand(3, {shape})";
            script.Append("space = {'__name__': 'code'}\n").Append($"exec(compile(open({PythonText(file)}).read(), {PythonText(file)}, 'exec'), space)\n")
                .Append($"model = space['Model']()\nmodel({x}).sum().backward() if any(True for _ in model.parameters()) else None\nprint({PythonText(name)}, *model({x}).shape)\n");
            expected.Add($"{name} 3 {string.Join(' ', model.Graph.Output.Shape.Dims.Skip(1))}");
        }
        string all = Path.Combine(folder, "all.py");
        File.WriteAllText(all, script.ToString());
        Assert.True(expected.Count > 60, $"only {expected.Count} models have a form in PyTorch");
        Assert.Equal(expected, PythonFactAttribute.Run([all]).TrimEnd().Split('\n'));
    }

    /// <summary>Trains a model, writes what PyTorch needs to do the same, and gives the metric on the validation rows.</summary>
    private double Prepare(ModelDefinition model)
    {
        string path = Directory.CreateDirectory(Path.Combine(folder, model.Name)).FullName;
        DataSplit data = TrainedModels.Data(model);
        using WorkerPool pool = new(1);
        using TrainingSession session = new(model, data, pool, watch: false);
        ParameterSliceJson[] parts = [.. session.Parameters.Slices.Where(slice => slice.Trainable).Select(slice => new ParameterSliceJson(slice.Name.Replace('.', '_'), slice.Offset, slice.Length))];
        Write(path, "before", session.Parameters.Values.Span);
        BatchOrder order = new(data.Training.Count, model.Plan.BatchSize, model.Plan.Seed);
        List<int[]> rows = [];
        while (session.NextStep < SameEpochs * session.StepsPerEpoch)
        {
            rows.Add(order.Rows(session.NextStep).ToArray());
            session.Step();
        }
        Write(path, "after", session.Parameters.Values.Span);
        while (!session.Finished)
        {
            session.Step();
        }
        bool isClasses = model.Plan.Loss is CrossEntropy;
        int[] features = [.. model.Graph.Inputs.Single().Outputs[0].Shape.Dims.Skip(1).Select(dim => dim.Size)];
        foreach ((string prefix, DataSet set) in new[] { ("", data.Training), ("v", data.Validation) })
        {
            Write(path, prefix + "x", set.Inputs);
            if (set.Kind == TargetKind.Label && isClasses)
            {
                Write<long>(path, prefix + "y", [.. set.Labels.ToArray().Select(label => (long)label)]);
            }
            else
            {
                Write(path, prefix + "y", set.Kind == TargetKind.Label ? [.. set.Labels.ToArray().Select(label => (float)label)] : set.Targets);
            }
        }
        Write<long>(path, "rows", [.. rows.SelectMany(batch => batch).Select(row => (long)row)]);
        File.WriteAllText(Path.Combine(path, "model.py"), ModelCode.Of(model, CodeTarget.PyTorch).Text);
        File.WriteAllText(Path.Combine(path, "case.json"), JsonSerializer.Serialize(new
        {
            loss = isClasses ? "classes" : model.Plan.Loss is BinaryCrossEntropy ? "binary" : "values",
            x = (int[])[-1, .. features],
            y = isClasses ? (int[])[-1] : [-1, 1],
            sizes = rows.Select(batch => batch.Length),
            per_epoch = session.StepsPerEpoch,
            batch = model.Plan.BatchSize,
            parameters = parts.Select(part => new { name = part.Name, at = part.At, length = part.Length }),
        }));
        return session.Evaluate(data.Validation).Metric;
    }

    private static void Write<T>(string path, string name, ReadOnlySpan<T> numbers) where T : unmanaged =>
        File.WriteAllBytes(Path.Combine(path, name), MemoryMarshal.AsBytes(numbers));

    private static void Write(string path, string name, ReadOnlySpan<float> numbers) => Write<float>(path, name, numbers);

    private static string PythonText(string text) => $"'{text.Replace("\\", "\\\\", StringComparison.Ordinal)}'";

    private static string Script(string name) => Path.Combine(Testing.RepositoryFiles.Root, "tests", "Fathom.Formats.Tests", "Code", name);

    private sealed record ParameterSliceJson(string Name, int At, int Length);
}
