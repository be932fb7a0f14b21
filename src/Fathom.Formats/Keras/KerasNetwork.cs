using System.Text.Json;
using Fathom.Graphs;

namespace Fathom.Formats.Keras;

/// <summary>Reads the architecture of a Sequential or Functional model into a graph.</summary>
internal sealed class KerasNetwork
{
    private readonly string file;
    private readonly List<string> warnings;
    private readonly List<InputSpec> inputs = [];
    private readonly List<KerasLayer> layers = [];

    private KerasNetwork(string file, List<string> warnings) => (this.file, this.warnings) = (file, warnings);

    /// <summary>Reads a model.</summary>
    /// <param name="root">The object with class_name and config.</param>
    /// <param name="warnings">Receives what was left out.</param>
    public static (string Name, Graph Graph) Read(KerasJson root, List<string> warnings)
    {
        KerasNetwork network = new(root.File, warnings);
        string className = root.Text("class_name");
        return className switch
        {
            "Sequential" => network.ReadSequential(root),
            "Functional" or "Model" => network.ReadFunctional(root),
            _ => throw root.KeyError("class_name", $"{ModelFormatException.Quote(className)} is no model whose layers are listed", "Sequential, Functional, Model"),
        };
    }

    private (string Name, Graph Graph) ReadSequential(KerasJson root)
    {
        JsonElement config = root.Require("config", "an object with 'layers'");
        // Before version 2.2.3 the config of a Sequential was the list of its layers.
        bool isList = config.ValueKind == JsonValueKind.Array;
        KerasJson? model = isList ? null : new KerasJson(file, null, config);
        JsonElement[] entries = isList ? [.. config.EnumerateArray()] : Entries(model!);
        string? previous = null;
        for (int i = 0; i < entries.Length; i++)
        {
            (KerasJson settings, string name, string className) = Open(entries[i], i);
            if (className == "InputLayer")
            {
                AddInput(settings, name);
                previous = name;
                continue;
            }
            previous ??= AddImpliedInput(settings, model, root);
            Add(new KerasLayer(settings, name, className, [previous], warnings));
            previous = name;
        }
        return (model?.Text("name", "sequential") ?? "sequential", Assemble(previous));
    }

    private (string Name, Graph Graph) ReadFunctional(KerasJson root)
    {
        KerasJson model = root.Object("config") ?? throw root.KeyError("config", "the key is missing", "an object with 'layers'");
        JsonElement[] entries = Entries(model);
        for (int i = 0; i < entries.Length; i++)
        {
            (KerasJson settings, string name, string className) = Open(entries[i], i);
            if (className == "InputLayer")
            {
                AddInput(settings, name);
                continue;
            }
            KerasJson entry = new(file, settings.Owner, entries[i]);
            Add(new KerasLayer(settings, name, className, KerasTopology.Inbound(entry), warnings));
        }
        IReadOnlyList<string> outputs = KerasTopology.Outputs(model);
        return outputs.Count == 1 ? (model.Text("name", "model"), Assemble(outputs[0]))
            : throw model.KeyError("output_layers", $"the model has {outputs.Count} outputs", "one output");
    }

    private static JsonElement[] Entries(KerasJson model)
    {
        JsonElement entries = model.Require("layers", "a list of layers");
        return entries.ValueKind == JsonValueKind.Array ? [.. entries.EnumerateArray()]
            : throw model.KeyError("layers", $"{KerasJson.Describe(entries)} is not a list", "a list of layers");
    }

    private (KerasJson Config, string Name, string ClassName) Open(JsonElement element, int index)
    {
        KerasJson entry = new(file, $"layer {index}", element);
        string className = entry.Text("class_name");
        className = className[(className.LastIndexOf('>') + 1)..];
        JsonElement config = entry.Require("config", "an object");
        KerasJson unnamed = new(file, $"layer {index} ({Short(className)})", config);
        string name = unnamed.Text("name", entry.Text("name", $"{className.ToLowerInvariant()}_{index}"));
        return (new KerasJson(file, $"layer {ModelFormatException.Quote(name)} ({Short(className)})", config), name, className);
    }

    private static string Short(string className) => className.Length <= 60 ? className : className[..60] + "…";

    private void AddInput(KerasJson config, string name)
    {
        int[] features = config.Extents("batch_shape", hasBatch: true) ?? config.Extents("batch_input_shape", hasBatch: true)
            ?? throw config.KeyError("batch_shape", "the key is missing", "a list such as [null, 64]");
        inputs.Add(new InputSpec(name, new TensorType(Shape.OfSamples(features))));
    }

    private string AddImpliedInput(KerasJson first, KerasJson? model, KerasJson root)
    {
        int[]? features = first.Extents("batch_input_shape", hasBatch: true) ?? first.Extents("batch_shape", hasBatch: true)
            ?? model?.Extents("build_input_shape", hasBatch: true) ?? root.Object("build_config")?.Extents("input_shape", hasBatch: true);
        if (features is null)
        {
            throw root.Error("the model does not say the shape of its input; build it before saving, as in model.build((None, 64)), or start it with keras.Input((64,))");
        }
        inputs.Add(new InputSpec(Network.InputName, new TensorType(Shape.OfSamples(features))));
        return Network.InputName;
    }

    private void Add(KerasLayer layer)
    {
        KerasLayerClasses.Read(layer);
        layers.Add(layer);
    }

    private Graph Assemble(string? output)
    {
        // What each Keras layer's output is called in the graph: the last of its nodes, or what it reads if it has none.
        Dictionary<string, KerasLayer> byName = [];
        foreach (KerasLayer layer in layers)
        {
            if (!byName.TryAdd(layer.Name, layer) || inputs.Any(input => input.Name == layer.Name))
            {
                throw layer.Config.KeyError("name", "the name is taken by another layer", "names that occur once");
            }
        }
        List<LayerSpec> specs = [];
        foreach (KerasLayer layer in layers)
        {
            IReadOnlyList<string>? from = null;
            foreach ((string name, Op op, var initializers, var refuses) in layer.Nodes)
            {
                specs.Add(new LayerSpec
                {
                    Op = op,
                    Name = name,
                    From = from ?? [.. layer.From.Select(source => NodeOf(source, byName, layer.Config))],
                    Initializers = initializers,
                    Refuses = refuses,
                    Origin = new KerasLayerOrigin(layer.Config),
                });
                from = [name];
            }
        }
        if (inputs.Count == 0 || specs.Count == 0 || output is null)
        {
            throw new ModelFormatException($"{file}: the model has {(inputs.Count == 0 ? "no input" : "no layers")}");
        }
        KerasJson whole = layers[^1].Config;
        return GraphAssembler.Assemble(inputs, specs, [NodeOf(output, byName, whole)], (_, problem) => new ModelFormatException($"{file}: the output: {problem}"));
    }

    private string NodeOf(string name, Dictionary<string, KerasLayer> byName, KerasJson reader)
    {
        for (int hops = 0; byName.TryGetValue(name, out KerasLayer? layer); hops++)
        {
            if (layer.Nodes.Count > 0)
            {
                return layer.Nodes[^1].Name;
            }
            if (layer.From.Count != 1 || hops > layers.Count)
            {
                throw reader.Error($"the layers that it reads form a circle, or {ModelFormatException.Quote(layer.Name)} reads {layer.From.Count} layers, where 1 is expected");
            }
            name = layer.From[0];
        }
        return inputs.Any(input => input.Name == name) ? name
            : throw reader.Error($"it reads {ModelFormatException.Quote(name)}, which is no layer of the model");
    }
}

/// <summary>A layer's place in a Keras file.</summary>
internal sealed class KerasLayerOrigin(KerasJson config) : LayerOrigin
{
    public override ModelFormatException Error(string problem) => config.Error(problem);

    public override ModelFormatException SettingError(string setting, string problem, string allowed) => config.KeyError(setting, problem, allowed);

    public override ModelFormatException ReferenceError(int index, string problem) => config.KeyError("inbound_nodes", problem);
}
