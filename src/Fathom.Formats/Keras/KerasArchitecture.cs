using System.Text.Json.Nodes;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Formats.Keras;

/// <summary>Writes a changed network over the layers of the file that it was read from.</summary>
internal sealed class KerasArchitecture
{
    private readonly Graph before;
    private readonly Graph after;
    private readonly bool isVersion3;
    private readonly Dictionary<string, KerasLayer> layers;
    private readonly Dictionary<string, JsonObject> entries;
    private readonly List<Unit> units = [];

    /// <summary>The layer, and which of its results, that makes each value.</summary>
    private readonly Dictionary<string, (string Layer, int Output)> makers = [];

    private KerasArchitecture(JsonObject root, IReadOnlyDictionary<KerasCall, KerasLayer> calls, Graph before, Graph after)
    {
        (this.before, this.after) = (before, after);
        isVersion3 = root.ContainsKey("module");
        if (calls.Keys.FirstOrDefault(call => call.Number > 0) is { Layer: { } shared })
        {
            throw Refused($"'{shared}' is called more than once, and such a network cannot be changed");
        }
        layers = calls.ToDictionary(call => call.Key.Layer, call => call.Value);
        entries = Entries(root).Select(entry => entry!.AsObject()).Where(entry => NameOf(entry) is not null).ToDictionary(entry => NameOf(entry)!);
    }

    /// <param name="root">The file's JSON, which is changed.</param>
    /// <param name="read">The same, to be read.</param>
    /// <param name="before">The network that it says.</param>
    /// <param name="after">The network that it is to say.</param>
    public static void Rewrite(JsonObject root, KerasJson read, Graph before, Graph after)
    {
        if (Same(before, after))
        {
            return;
        }
        KerasArchitecture writer = new(root, KerasNetwork.Layers(read), before, after);
        writer.Collect();
        writer.Write(root);
    }

    private static bool Same(Graph a, Graph b) => a.Nodes.Length == b.Nodes.Length && a.Nodes.Zip(b.Nodes).All(pair =>
        pair.First.Name == pair.Second.Name && KerasWriter.SameOp(pair.First.Op, pair.Second.Op)
        && pair.First.Inputs.Select(input => (input.Node.Name, input.Index)).SequenceEqual(pair.Second.Inputs.Select(input => (input.Node.Name, input.Index))));

    private static ModelFormatException Refused(string what) => new($"the changed model cannot be said in Keras' format: {what}");

    private static JsonArray Entries(JsonObject root) => root["config"] as JsonArray ?? root["config"]!["layers"]!.AsArray();

    private static string? NameOf(JsonObject entry) => (string?)entry["config"]?["name"] ?? (string?)entry["name"];

    /// <summary>The layers of the new file, in the order of the network.</summary>
    private void Collect()
    {
        Dictionary<string, KerasLayer> owners = layers.Values.SelectMany(layer => layer.Nodes.Select(node => (node.Name, layer))).ToDictionary(pair => pair.Name, pair => pair.layer);
        HashSet<string> done = [];
        foreach (Node input in after.Inputs)
        {
            makers[input.Output.ToString()] = (input.Name, 0);
        }
        foreach (Node node in after.Nodes.Where(node => node.Op is not Source))
        {
            if (done.Contains(node.Name))
            {
                continue;
            }
            Unit unit = owners.TryGetValue(node.Name, out KerasLayer? layer) && layer.Nodes[0].Name == node.Name && Kept(layer) is { } kept ? kept : New(node);
            units.Add(unit);
            done.UnionWith(unit.Nodes.Select(part => part.Name));
        }
    }

    /// <summary>A layer of the file whose nodes are still there; null if they are not.</summary>
    private Unit? Kept(KerasLayer layer)
    {
        string inner = $"{layer.Name}_activation";
        bool hasActivation = layer.Nodes.Count > 1 && layer.Nodes[^1].Name == inner;
        string[] core = [.. layer.Nodes.Select(node => node.Name).Where(name => !hasActivation || name != inner)];
        if (!entries.TryGetValue(layer.Name, out JsonObject? entry) || core.Any(name => after.Find(name) is not { } node || !KerasWriter.SameOp(node.Op, before[name].Op)))
        {
            return null;
        }
        JsonObject copy = entry.DeepClone().AsObject();
        JsonObject config = copy["config"]!.AsObject();
        List<Node> nodes = [.. core.Select(name => after[name])];
        foreach (Node node in nodes)
        {
            SetInitializers(config, node);
        }
        if (hasActivation)
        {
            Node? activation = after.Find(inner);
            bool follows = activation is not null && activation.DataInputs.ToArray() is [var read] && read.Node == nodes[^1] && Readers(nodes[^1]) == 1;
            if (follows && KerasWriter.SameOp(activation!.Op, before[inner].Op))
            {
                nodes.Add(activation);
            }
            else if (follows && KerasActivations.NameOf(activation!.Op) is { } name)
            {
                config["activation"] = name;
                nodes.Add(activation);
            }
            else
            {
                config["activation"] = "linear";
            }
        }
        Unit unit = new(layer.Name, copy, nodes) { Original = layer };
        IReadOnlyList<string> results = layer.Outputs.Count > 0 ? layer.Outputs : [nodes[^1].Name];
        for (int i = 0; i < results.Count; i++)
        {
            makers.TryAdd(results[i], (layer.Name, i));
        }
        return unit;
    }

    private int Readers(Node node) => after.Nodes.Count(reader => reader.Inputs.Any(input => input.Node == node)) + (after.Output.Node == node ? 1 : 0);

    private Unit New(Node node)
    {
        (string className, JsonObject config) = KerasNewLayer.Of(node, isVersion3) ?? throw Refused($"Keras has no layer for '{node.Name}' ({node.Op.Kind})");
        SetInitializers(config, node);
        JsonObject entry = isVersion3
            ? new JsonObject { ["module"] = "keras.layers", ["class_name"] = className, ["config"] = config, ["registered_name"] = null, ["name"] = node.Name }
            : new JsonObject { ["class_name"] = className, ["config"] = config, ["name"] = node.Name };
        makers.TryAdd(node.Output.ToString(), (node.Name, 0));
        return new Unit(node.Name, entry, [node]);
    }

    /// <summary>Writes initializers that are not those of the file.</summary>
    private void SetInitializers(JsonObject config, Node node)
    {
        foreach (Node parameter in node.Parameters)
        {
            Parameter now = (Parameter)parameter.Op;
            bool isOld = before.Find(parameter.Name)?.Op is Parameter old && KerasInitializerText.Same(old.Initializer, now.Initializer);
            if (isOld || now.Initializer is null)
            {
                continue;
            }
            string key = (node.Op, parameter.Name[(parameter.Name.LastIndexOf('.') + 1)..]) switch
            {
                (BatchNorm or LayerNorm or GroupNorm or RmsNorm, "weight") => node.Op is RmsNorm ? "scale_initializer" : "gamma_initializer",
                (BatchNorm or LayerNorm or GroupNorm, "bias") => "beta_initializer",
                (BatchNorm, "running_mean") => "moving_mean_initializer",
                (BatchNorm, "running_var") => "moving_variance_initializer",
                (Embedding, _) => "embeddings_initializer",
                (RecurrentLayer, "weight_hh") => "recurrent_initializer",
                (_, var slot) => slot.StartsWith("bias", StringComparison.Ordinal) ? "bias_initializer" : "kernel_initializer",
            };
            config[key] = KerasInitializerText.Of(now.Initializer, isVersion3) ?? throw Refused($"Keras has no initializer {now.Initializer.GetType().Name} for '{node.Name}'");
        }
    }

    private void Write(JsonObject root)
    {
        bool wasSequential = (string?)root["class_name"] == "Sequential";
        if (wasSequential && IsChain())
        {
            JsonArray list = Entries(root);
            JsonNode?[] inputs = [.. list.Where(entry => (string?)entry!["class_name"] == "InputLayer")];
            // The file's first layer may be where the input's shape is said.
            JsonNode[] shape = inputs.Length > 0 || ReferenceEquals(units[0].Original, layers.GetValueOrDefault(NameOf(list[0]!.AsObject()) ?? "")) ? [] : [InputEntry(false)];
            list.Clear();
            foreach (JsonNode? entry in (JsonNode?[])[.. inputs, .. shape, .. units.Select(unit => unit.Entry)])
            {
                list.Add(entry);
            }
            return;
        }
        WriteFunctional(root, wasSequential);
    }

    private bool IsChain()
    {
        string last = after.Inputs.Single().Name;
        foreach (Unit unit in units)
        {
            if (Sources(unit).Select(value => makers[value.ToString()].Layer).Distinct().ToArray() is not [var only] || only != last)
            {
                return false;
            }
            last = unit.Name;
        }
        return makers.TryGetValue(after.Output.ToString(), out (string Layer, int Output) end) && end == (last, 0);
    }

    private void WriteFunctional(JsonObject root, bool wasSequential)
    {
        JsonArray old = Entries(root);
        List<JsonNode> list = [.. old.Where(entry => (string?)entry!["class_name"] == "InputLayer").Select(entry => entry!)];
        if (list.Count == 0)
        {
            list.Add(InputEntry(true));
        }
        foreach (JsonNode input in list)
        {
            input["inbound_nodes"] ??= new JsonArray();
            input["name"] ??= NameOf(input.AsObject());
        }
        old.Clear();
        foreach (Unit unit in units)
        {
            unit.Entry["name"] = unit.Name;
            if (unit.Original is null || wasSequential || !Remap(unit))
            {
                unit.Entry["inbound_nodes"] = Inbound(Sources(unit));
            }
            list.Add(unit.Entry);
        }
        JsonObject config = root["config"] as JsonObject ?? new JsonObject { ["name"] = "model" };
        config["layers"] = new JsonArray([.. list]);
        if (wasSequential)
        {
            root["class_name"] = "Functional";
            if (isVersion3)
            {
                root["module"] = "keras.src.models.functional";
            }
            config.Remove("build_input_shape");
            config["input_layers"] = new JsonArray(History(after.Inputs.Single().Output));
        }
        config["output_layers"] = new JsonArray(History(after.Output));
        root["config"] = config;
    }

    /// <summary>What a layer reads from others, in order.</summary>
    private static IEnumerable<Value> Sources(Unit unit) =>
        unit.Nodes.SelectMany(node => node.DataInputs).Where(value => !unit.Nodes.Contains(value.Node)).DistinctBy(value => value.ToString());

    /// <summary>Puts other layers into the places of a call that the file wrote; false if there is nothing to keep of it.</summary>
    private bool Remap(Unit unit)
    {
        Dictionary<string, Value> now = [];
        foreach (Node node in unit.Nodes)
        {
            foreach ((Value was, Value value) in before[node.Name].Inputs.Zip(node.Inputs))
            {
                now[was.ToString()] = value;
            }
        }
        Dictionary<string, string> formerly = [];
        foreach (KerasLayer layer in layers.Values)
        {
            IReadOnlyList<string> results = layer.Outputs.Count > 0 ? layer.Outputs : layer.Nodes.Count > 0 ? [layer.Nodes[^1].Name] : [];
            for (int i = 0; i < results.Count; i++)
            {
                formerly[FormattableString.Invariant($"{layer.Name} {i}")] = results[i];
            }
        }
        foreach (Node input in before.Inputs)
        {
            formerly[$"{input.Name} 0"] = input.Output.ToString();
        }
        foreach (JsonArray history in Histories(unit.Entry["inbound_nodes"]).ToArray())
        {
            string key = FormattableString.Invariant($"{(string)history[0]!} {(history.Count > 2 ? (int)history[2]! : 0)}");
            if (!formerly.TryGetValue(key, out string? was) || !now.TryGetValue(was, out Value value))
            {
                return false;
            }
            (string layer, int output) = Maker(value);
            (history[0], history[1]) = (layer, 0);
            if (history.Count > 2)
            {
                history[2] = output;
            }
        }
        return true;
    }

    private static IEnumerable<JsonArray> Histories(JsonNode? node) => node switch
    {
        JsonArray list when list.Count > 0 && list[0] is JsonValue first && first.GetValueKind() == System.Text.Json.JsonValueKind.String => [list],
        JsonArray list => list.SelectMany(Histories),
        JsonObject item => item.Select(pair => pair.Value).SelectMany(Histories),
        _ => [],
    };

    private (string Layer, int Output) Maker(Value value) => makers.TryGetValue(value.ToString(), out (string Layer, int Output) maker) ? maker
        : throw Refused($"'{value.Node.Name}' lies within a layer, and others cannot read it");

    private JsonArray History(Value value)
    {
        (string layer, int output) = Maker(value);
        return [layer, 0, output];
    }

    private JsonArray Inbound(IEnumerable<Value> sources)
    {
        Value[] values = [.. sources];
        if (!isVersion3)
        {
            return [new JsonArray([.. values.Select(value => { JsonArray history = History(value); history.Add(new JsonObject()); return (JsonNode)history; })])];
        }
        JsonNode[] tensors = [.. values.Select(value => (JsonNode)new JsonObject
        {
            ["class_name"] = "__keras_tensor__",
            ["config"] = new JsonObject { ["shape"] = Shape(value), ["dtype"] = "float32", ["keras_history"] = History(value) },
        })];
        return [new JsonObject { ["args"] = tensors.Length == 1 ? new JsonArray(tensors) : new JsonArray(new JsonArray(tensors)), ["kwargs"] = new JsonObject() }];
    }

    private static JsonArray Shape(Value value) => [.. value.Shape.Dims.Select(dim => dim.PerSample ? null : (JsonNode)dim.Size)];

    private JsonObject InputEntry(bool isFunctional)
    {
        Node input = after.Inputs.Single();
        JsonObject config = new() { [isVersion3 ? "batch_shape" : "batch_input_shape"] = Shape(input.Output), ["dtype"] = "float32", ["sparse"] = false, ["name"] = input.Name };
        JsonObject entry = new() { ["class_name"] = "InputLayer", ["config"] = config };
        if (isVersion3)
        {
            (entry["module"], entry["registered_name"]) = ("keras.layers", null);
        }
        if (isFunctional)
        {
            (entry["name"], entry["inbound_nodes"]) = (input.Name, new JsonArray());
        }
        return entry;
    }

    /// <summary>A layer of the new file.</summary>
    private sealed record Unit(string Name, JsonObject Entry, List<Node> Nodes)
    {
        /// <summary>The layer of the old file that it is; null for a new one.</summary>
        public KerasLayer? Original { get; init; }
    }
}
