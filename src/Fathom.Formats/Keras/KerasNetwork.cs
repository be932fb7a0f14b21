using System.Text.Json;
using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Regularization;

namespace Fathom.Formats.Keras;

/// <summary>Reads the architecture of a Sequential or Functional model into a graph.</summary>
internal sealed class KerasNetwork
{
    private readonly string file;
    private readonly List<string> warnings;
    private readonly List<InputSpec> inputs = [];
    private readonly Dictionary<KerasCall, KerasLayer> layers = [];

    private KerasNetwork(string file, List<string> warnings) => (this.file, this.warnings) = (file, warnings);

    /// <summary>Reads a model.</summary>
    /// <param name="root">The object with class_name and config.</param>
    /// <param name="warnings">Receives what was left out.</param>
    public static (string Name, Graph Graph, ValueList<Regularizer> Regularization) Read(KerasJson root, List<string> warnings)
    {
        KerasNetwork network = new(root.File, warnings);
        string className = root.Text("class_name");
        (string name, Graph graph) = className switch
        {
            "Sequential" => network.ReadSequential(root),
            "Functional" or "Model" => network.ReadFunctional(root),
            _ => throw root.KeyError("class_name", $"{ModelFormatException.Quote(className)} is no model whose layers are listed", "Sequential, Functional, Model"),
        };
        IEnumerable<Regularizer> bounds = network.layers.Values.Where(layer => layer.SharesWith is null).SelectMany(layer => layer.Regularizers);
        return (name, graph, [.. KerasRegularizers.Merge(bounds)]);
    }

    /// <summary>The calls of layers as they were read, by name, for a writer that keeps what a file says of them.</summary>
    public static IReadOnlyDictionary<KerasCall, KerasLayer> Layers(KerasJson root)
    {
        KerasNetwork network = new(root.File, []);
        _ = root.Text("class_name") == "Sequential" ? network.ReadSequential(root) : network.ReadFunctional(root);
        return network.layers;
    }

    private (string Name, Graph Graph) ReadSequential(KerasJson root)
    {
        JsonElement config = root.Require("config", "an object with 'layers'");
        // Before version 2.2.3 the config of a Sequential was the list of its layers.
        bool isList = config.ValueKind == JsonValueKind.Array;
        KerasJson? model = isList ? null : new KerasJson(file, null, config);
        JsonElement[] entries = isList ? [.. config.EnumerateArray()] : Entries(model!);
        KerasInput? previous = null;
        for (int i = 0; i < entries.Length; i++)
        {
            (KerasJson settings, string name, string className) = Open(entries[i], i);
            if (className == "InputLayer")
            {
                AddInput(settings, name);
            }
            else
            {
                previous ??= new KerasInput(new KerasCall(AddImpliedInput(settings, model, root), 0), 0, null);
                Add(settings, name, className, 0, [previous.Value], null);
            }
            previous = new KerasInput(new KerasCall(name, 0), 0, null);
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
            int number = 0;
            foreach ((IReadOnlyList<KerasInput> read, KerasJson? arguments) in KerasTopology.Calls(entry))
            {
                Add(settings, name, className, number++, read, arguments);
            }
        }
        IReadOnlyList<KerasInput> outputs = KerasTopology.Outputs(model);
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

    /// <summary>Adds one call of a layer. Calls after the first become layers of their own, which share its parameters.</summary>
    private void Add(KerasJson config, string name, string className, int number, IReadOnlyList<KerasInput> read, KerasJson? arguments)
    {
        bool isTaken = inputs.Any(input => input.Name == name) || (number == 0 && layers.ContainsKey(new KerasCall(name, 0)));
        if (isTaken)
        {
            throw config.KeyError("name", "the name is taken by another layer", "names that occur once");
        }
        string own = number == 0 ? name : FormattableString.Invariant($"{name}.{number + 1}");
        IReadOnlyList<string?> masks = [.. read.Select(input => layers.GetValueOrDefault(input.From)?.OutputMask)];
        KerasLayer layer = new(config, own, className, read, masks, warnings) { Arguments = arguments, SharesWith = number == 0 ? null : name };
        KerasLayerClasses.Read(layer);
        MakeIndices(layer);
        layers[new KerasCall(name, number)] = layer;
    }

    /// <summary>Keras reads rows of a table from inputs of any type; in Fathom such an input holds indices.</summary>
    private void MakeIndices(KerasLayer layer)
    {
        int at = layer.ClassName == "Embedding" ? inputs.FindIndex(input => input.Name == layer.Inputs[0].From.Layer) : -1;
        if (at >= 0)
        {
            inputs[at] = new InputSpec(inputs[at].Name, inputs[at].Type with { Kind = ElementKind.Index });
        }
    }

    private Graph Assemble(KerasInput? output)
    {
        List<LayerSpec> specs = [.. layers.Values.SelectMany(Specs)];
        if (inputs.Count == 0 || specs.Count == 0 || output is null)
        {
            throw new ModelFormatException($"{file}: the model has {(inputs.Count == 0 ? "no input" : "no layers")}");
        }
        KerasJson whole = layers.Values.Last().Config;
        return GraphAssembler.Assemble(inputs, specs, [NodeOf(output.Value, whole)], (_, problem) => new ModelFormatException($"{file}: the output: {problem}"));
    }

    private IEnumerable<LayerSpec> Specs(KerasLayer layer)
    {
        string[]? all = null;
        bool isFrozen = !layer.Config.Flag("trainable", true);
        for (int i = 0; i < layer.Nodes.Count; i++)
        {
            KerasNode node = layer.Nodes[i];
            yield return new LayerSpec
            {
                Op = node.Op,
                Name = node.Name,
                From = node.From is { } from ? [.. from.Select(reference => reference.StartsWith('$') ? Read(layer, reference) : reference)]
                    : i > 0 ? [layer.Nodes[i - 1].Name]
                    : all ??= [.. layer.Inputs.Select(input => NodeOf(input, layer.Config))],
                Initializers = node.Initializers,
                Resolve = node.Resolve,
                Refuses = node.Refuses,
                Frozen = isFrozen ? null : node.Frozen,
                // The names of a call's nodes begin with the call's name, and those of the first call with the layer's.
                SharesWith = layer.SharesWith is { } first ? first + node.Name[layer.Name.Length..] : null,
                Origin = new KerasLayerOrigin(layer.Config),
            };
        }
    }

    private string Read(KerasLayer layer, string reference) =>
        NodeOf(layer.Inputs[int.Parse(reference.AsSpan(1), System.Globalization.CultureInfo.InvariantCulture)], layer.Config);

    /// <summary>What a layer's result is called in the graph: the last of its nodes, or what it reads if it has none.</summary>
    private string NodeOf(KerasInput wanted, KerasJson reader)
    {
        for (int hops = 0; layers.TryGetValue(wanted.From, out KerasLayer? layer); hops++)
        {
            int results = Math.Max(1, layer.Outputs.Count);
            if (wanted.Output >= results)
            {
                throw reader.Error($"it reads result {wanted.Output} of {ModelFormatException.Quote(layer.Name)}, which has {results}, counted from 0");
            }
            if (layer.Nodes.Count > 0)
            {
                return layer.Outputs.Count > 0 ? layer.Outputs[wanted.Output] : layer.Nodes[^1].Name;
            }
            if (layer.Inputs.Count != 1 || hops > layers.Count)
            {
                throw reader.Error($"the layers that it reads form a circle, or {ModelFormatException.Quote(layer.Name)} reads {layer.Inputs.Count} layers, where 1 is expected");
            }
            wanted = layer.Inputs[0];
        }
        string name = wanted.From.Layer;
        return inputs.Any(input => input.Name == name) ? name
            : throw reader.Error(layers.ContainsKey(new KerasCall(name, 0))
                ? $"it reads call {wanted.From.Number} of {ModelFormatException.Quote(name)}, counted from 0, which there is not"
                : $"it reads {ModelFormatException.Quote(name)}, which is no layer of the model");
    }
}

/// <summary>A layer's place in a Keras file.</summary>
internal sealed class KerasLayerOrigin(KerasJson config) : LayerOrigin
{
    public override ModelFormatException Error(string problem) => config.Error(problem);

    public override ModelFormatException SettingError(string setting, string problem, string allowed) => config.KeyError(setting, problem, allowed);

    public override ModelFormatException ReferenceError(int index, string problem) => config.KeyError("inbound_nodes", problem);
}
