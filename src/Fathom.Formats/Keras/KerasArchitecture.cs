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
    private readonly IReadOnlyDictionary<KerasCall, KerasLayer> calls;
    private readonly Dictionary<string, JsonObject> entries;
    private readonly List<Unit> units = [];

    /// <summary>The new file's entries of layers that stay, which all calls of a layer share, and their inner activations.</summary>
    private readonly Dictionary<string, (JsonObject Entry, bool HasActivation)> kept = [];

    /// <summary>The call of a layer, and which of its results, that makes each value.</summary>
    private readonly Dictionary<string, (KerasCall Call, int Output)> makers = [];

    private KerasArchitecture(JsonObject root, IReadOnlyDictionary<KerasCall, KerasLayer> calls, Graph before, Graph after)
    {
        (this.before, this.after) = (before, after);
        isVersion3 = root.ContainsKey("module");
        this.calls = calls;
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
        Dictionary<string, KerasCall> owners = calls.SelectMany(call => call.Value.Nodes.Select(node => (node.Name, call.Key))).ToDictionary(pair => pair.Name, pair => pair.Key);
        HashSet<string> done = [];
        foreach (Node input in after.Inputs)
        {
            makers[input.Output.ToString()] = (new KerasCall(input.Name, 0), 0);
        }
        foreach (Node node in after.Nodes.Where(node => node.Op is not Source))
        {
            if (done.Contains(node.Name))
            {
                continue;
            }
            Unit unit = owners.TryGetValue(node.Name, out KerasCall call) && calls[call].Nodes[0].Name == node.Name && Stays(calls[call]) ? Kept(call) : New(node);
            units.Add(unit);
            done.UnionWith(unit.Nodes.Select(part => part.Name));
        }
    }

    /// <summary>The nodes of a call but for its inner activation.</summary>
    private static IEnumerable<string> Core(KerasLayer layer) => layer.Nodes.Select(node => node.Name).Where(name => !HasActivation(layer) || name != Activation(layer));

    private static string Activation(KerasLayer layer) => $"{layer.Name}_activation";

    private static bool HasActivation(KerasLayer layer) => layer.Nodes.Count > 1 && layer.Nodes[^1].Name == Activation(layer);

    /// <summary>Whether a call's nodes are still there, and read the parameters that they did: those of the layer, shared by all its calls.</summary>
    private bool Stays(KerasLayer layer) => entries.ContainsKey(layer.SharesWith ?? layer.Name) && Core(layer).All(name => after.Find(name) is { } node
        && KerasWriter.SameOp(node.Op, before[name].Op) && node.Parameters.Select(parameter => parameter.Name).SequenceEqual(before[name].Parameters.Select(parameter => parameter.Name)));

    /// <summary>A call of a layer of the file whose nodes are still there.</summary>
    private Unit Kept(KerasCall call)
    {
        KerasLayer layer = calls[call];
        List<Node> nodes = [.. Core(layer).Select(name => after[name])];
        (JsonObject entry, bool hasActivation) = kept.TryGetValue(call.Layer, out (JsonObject, bool) known) ? known : kept[call.Layer] = Entry(call.Layer);
        foreach (Node node in nodes)
        {
            SetInitializers(layer.ClassName, entry["config"]!.AsObject(), node);
        }
        if (hasActivation)
        {
            nodes.Add(after[Activation(layer)]);
        }
        IReadOnlyList<string> results = layer.Outputs.Count > 0 ? layer.Outputs : [nodes[^1].Name];
        for (int i = 0; i < results.Count; i++)
        {
            makers.TryAdd(results[i], (call, i));
        }
        return new Unit(call.Layer, entry, nodes) { Original = call };
    }

    /// <summary>
    /// The new entry of a layer that stays. Its inner activation stays too, or is another one, if that is so in each of its
    /// calls; otherwise it is taken out, and what follows the calls becomes layers of their own.
    /// </summary>
    private (JsonObject Entry, bool HasActivation) Entry(string name)
    {
        JsonObject copy = entries[name].DeepClone().AsObject();
        KerasLayer[] staying = [.. calls.Where(call => call.Key.Layer == name && Stays(call.Value)).Select(call => call.Value)];
        if (!HasActivation(staying[0]))
        {
            return (copy, false);
        }
        Node?[] inner = [.. staying.Select(Follower)];
        if (inner.All(node => node is not null && KerasWriter.SameOp(node.Op, before[node.Name].Op)))
        {
            return (copy, true);
        }
        string?[] names = [.. inner.Select(node => node is null ? null : KerasActivations.NameOf(node.Op)).Distinct()];
        string? one = names.Length == 1 ? names[0] : null;
        copy["config"]!["activation"] = one ?? "linear";
        return (copy, one is not null);
    }

    /// <summary>The node with the name of a call's inner activation, if it alone reads what the call computes.</summary>
    private Node? Follower(KerasLayer layer)
    {
        Node last = after[Core(layer).Last()];
        return after.Find(Activation(layer)) is { } activation && activation.DataInputs.ToArray() is [var read] && read.Node == last && Readers(last) == 1 ? activation : null;
    }

    private int Readers(Node node) => after.Nodes.Count(reader => reader.Inputs.Any(input => input.Node == node)) + (after.Output.Node == node ? 1 : 0);

    private Unit New(Node node)
    {
        (string className, JsonObject config) = KerasNewLayer.Of(node, isVersion3) ?? throw Refused($"Keras has no layer for '{node.Name}' ({node.Op.Kind})");
        SetInitializers(className, config, node);
        JsonObject entry = isVersion3
            ? new JsonObject { ["module"] = "keras.layers", ["class_name"] = className, ["config"] = config, ["registered_name"] = null, ["name"] = node.Name }
            : new JsonObject { ["class_name"] = className, ["config"] = config, ["name"] = node.Name };
        makers.TryAdd(node.Output.ToString(), (new KerasCall(node.Name, 0), 0));
        return new Unit(node.Name, entry, [node]);
    }

    /// <summary>Writes initializers that are not those of the file.</summary>
    private void SetInitializers(string className, JsonObject config, Node node)
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
                (DepthwiseConv2d, "weight") => "depthwise_initializer",
                (_, "weight") when className.StartsWith("Separable", StringComparison.Ordinal) => "pointwise_initializer",
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
            JsonNode[] shape = inputs.Length > 0 || units[0].Original?.Layer == NameOf(list[0]!.AsObject()) ? [] : [InputEntry(false)];
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
            if (Sources(unit).Select(value => makers[value.ToString()].Call.Layer).Distinct().ToArray() is not [var only] || only != last)
            {
                return false;
            }
            last = unit.Name;
        }
        return makers.TryGetValue(after.Output.ToString(), out (KerasCall Call, int Output) end) && end == (new KerasCall(last, 0), 0);
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
        foreach (IGrouping<string, Unit> layer in units.GroupBy(unit => unit.Name))
        {
            JsonObject entry = layer.First().Entry;
            entry["name"] = layer.Key;
            // The place of a call among the layer's calls is its number, by which others name it.
            entry["inbound_nodes"] = new JsonArray([.. layer.OrderBy(unit => unit.Original?.Number).Select(unit => (wasSequential ? null : Remapped(unit)) ?? Inbound(Sources(unit)))]);
            list.Add(entry);
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

    /// <summary>A call as the file wrote it, with other layers in its places; null if there is nothing to keep of it.</summary>
    private JsonNode? Remapped(Unit unit)
    {
        if (unit.Original is not { } original)
        {
            return null;
        }
        JsonNode call = entries[unit.Name]["inbound_nodes"]![original.Number]!.DeepClone();
        Dictionary<string, Value> now = [];
        foreach (Node node in unit.Nodes)
        {
            foreach ((Value was, Value value) in before[node.Name].Inputs.Zip(node.Inputs))
            {
                now[was.ToString()] = value;
            }
        }
        Dictionary<(KerasCall Call, int Output), string> formerly = [];
        foreach ((KerasCall maker, KerasLayer layer) in calls)
        {
            IReadOnlyList<string> results = layer.Outputs.Count > 0 ? layer.Outputs : layer.Nodes.Count > 0 ? [layer.Nodes[^1].Name] : [];
            for (int i = 0; i < results.Count; i++)
            {
                formerly[(maker, i)] = results[i];
            }
        }
        foreach (Node input in before.Inputs)
        {
            formerly[(new KerasCall(input.Name, 0), 0)] = input.Output.ToString();
        }
        foreach (JsonArray history in Histories(call).ToArray())
        {
            int Place(int at) => history.Count > at ? (int)history[at]! : 0;
            if (!formerly.TryGetValue((new KerasCall((string)history[0]!, Place(1)), Place(2)), out string? was) || !now.TryGetValue(was, out Value value))
            {
                return null;
            }
            (KerasCall maker, int output) = Maker(value);
            (history[0], history[1]) = (maker.Layer, maker.Number);
            if (history.Count > 2)
            {
                history[2] = output;
            }
        }
        return call;
    }

    private static IEnumerable<JsonArray> Histories(JsonNode? node) => node switch
    {
        JsonArray list when list.Count > 0 && list[0] is JsonValue first && first.GetValueKind() == System.Text.Json.JsonValueKind.String => [list],
        JsonArray list => list.SelectMany(Histories),
        JsonObject item => item.Select(pair => pair.Value).SelectMany(Histories),
        _ => [],
    };

    private (KerasCall Call, int Output) Maker(Value value) => makers.TryGetValue(value.ToString(), out (KerasCall Call, int Output) maker)
        ? (maker.Call with { Number = units.Count(unit => unit.Name == maker.Call.Layer && unit.Original?.Number < maker.Call.Number) }, maker.Output)
        : throw Refused($"'{value.Node.Name}' lies within a layer, and others cannot read it");

    private JsonArray History(Value value)
    {
        (KerasCall maker, int output) = Maker(value);
        return [maker.Layer, maker.Number, output];
    }

    /// <summary>A call on values.</summary>
    private JsonNode Inbound(IEnumerable<Value> sources)
    {
        Value[] values = [.. sources];
        if (!isVersion3)
        {
            return new JsonArray([.. values.Select(value => { JsonArray history = History(value); history.Add(new JsonObject()); return (JsonNode)history; })]);
        }
        JsonNode[] tensors = [.. values.Select(value => (JsonNode)new JsonObject
        {
            ["class_name"] = "__keras_tensor__",
            ["config"] = new JsonObject { ["shape"] = Shape(value), ["dtype"] = "float32", ["keras_history"] = History(value) },
        })];
        return new JsonObject { ["args"] = tensors.Length == 1 ? new JsonArray(tensors) : new JsonArray(new JsonArray(tensors)), ["kwargs"] = new JsonObject() };
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

    /// <summary>A call of a layer of the new file; all calls of a layer have one entry.</summary>
    private sealed record Unit(string Name, JsonObject Entry, List<Node> Nodes)
    {
        /// <summary>The call of the old file that it is; null for a new layer.</summary>
        public KerasCall? Original { get; init; }
    }
}
