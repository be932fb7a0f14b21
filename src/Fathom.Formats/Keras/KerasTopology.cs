using System.Text.Json;

namespace Fathom.Formats.Keras;

/// <summary>
/// Which layers a layer of a Functional model reads. Keras 2 writes <c>[[["a", 0, 0, {}], ["b", 0, 0, {}]]]</c>; Keras 3
/// writes the call's arguments, in which tensors carry their history: <c>["a", 0, 0]</c>.
/// </summary>
internal static class KerasTopology
{
    private const string Allowed = "one call, as Keras 2 or 3 writes it";

    /// <summary>The layers that a layer reads, in order.</summary>
    public static IReadOnlyList<string> Inbound(KerasJson entry)
    {
        JsonElement nodes = entry.Require("inbound_nodes", Allowed);
        if (nodes.ValueKind != JsonValueKind.Array || nodes.GetArrayLength() == 0)
        {
            throw entry.KeyError("inbound_nodes", "the layer is not called", Allowed);
        }
        if (nodes.GetArrayLength() > 1)
        {
            throw entry.KeyError("inbound_nodes", $"the layer is called {nodes.GetArrayLength()} times; layers that share weights are not supported", Allowed);
        }
        List<string> names = [];
        JsonElement call = nodes[0];
        if (call.ValueKind == JsonValueKind.Object)
        {
            ReadCall(entry, call, names);
        }
        else if (call.ValueKind == JsonValueKind.Array)
        {
            ReadHistories(entry, call, names);
        }
        return names.Count > 0 ? names : throw entry.KeyError("inbound_nodes", "no layer is named", Allowed);
    }

    /// <summary>The output layers of a model: <c>["a", 0, 0]</c>, or a list of such.</summary>
    public static IReadOnlyList<string> Outputs(KerasJson model)
    {
        JsonElement outputs = model.Require("output_layers", "a list such as [\"dense\", 0, 0]");
        List<string> names = [];
        if (IsHistory(outputs))
        {
            names.Add(History(model, "output_layers", outputs));
        }
        else if (outputs.ValueKind == JsonValueKind.Array)
        {
            names.AddRange(outputs.EnumerateArray().Select(output => History(model, "output_layers", output)));
        }
        return names.Count > 0 ? names : throw model.KeyError("output_layers", "no layer is named", "a list such as [\"dense\", 0, 0]");
    }

    private static void ReadHistories(KerasJson entry, JsonElement call, List<string> names)
    {
        // A call with one tensor may stand without the list around it.
        JsonElement[] histories = IsHistory(call) ? [call] : [.. call.EnumerateArray()];
        foreach (JsonElement history in histories)
        {
            names.Add(History(entry, "inbound_nodes", history));
            if (history.GetArrayLength() > 3 && history[3].ValueKind == JsonValueKind.Object)
            {
                RefuseArguments(entry, history[3]);
            }
        }
    }

    private static void ReadCall(KerasJson entry, JsonElement call, List<string> names)
    {
        if (!call.TryGetProperty("args", out JsonElement arguments) || arguments.ValueKind != JsonValueKind.Array)
        {
            throw entry.KeyError("inbound_nodes", "the call has no 'args'", Allowed);
        }
        foreach (JsonElement argument in arguments.EnumerateArray())
        {
            JsonElement[] tensors = argument.ValueKind == JsonValueKind.Array ? [.. argument.EnumerateArray()] : [argument];
            names.AddRange(tensors.Select(tensor => Tensor(entry, tensor)));
        }
        if (call.TryGetProperty("kwargs", out JsonElement named) && named.ValueKind == JsonValueKind.Object)
        {
            RefuseArguments(entry, named);
        }
    }

    /// <summary><c>{"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 0, 0]}}</c>.</summary>
    private static string Tensor(KerasJson entry, JsonElement tensor)
    {
        if (tensor.ValueKind == JsonValueKind.Object && tensor.TryGetProperty("config", out JsonElement config)
            && config.ValueKind == JsonValueKind.Object && config.TryGetProperty("keras_history", out JsonElement history))
        {
            return History(entry, "inbound_nodes", history);
        }
        throw entry.KeyError("inbound_nodes", $"an argument is {KerasJson.Describe(tensor)}, and not the output of a layer", Allowed);
    }

    private static bool IsHistory(JsonElement element) =>
        element.ValueKind == JsonValueKind.Array && element.GetArrayLength() >= 1 && element[0].ValueKind == JsonValueKind.String;

    private static string History(KerasJson owner, string key, JsonElement history)
    {
        if (!IsHistory(history))
        {
            throw owner.KeyError(key, $"{KerasJson.Describe(history)} does not name the output of a layer", "a list such as [\"dense\", 0, 0]");
        }
        string name = history[0].GetString()!;
        bool isFirst = history.GetArrayLength() < 3 || (history[2].ValueKind == JsonValueKind.Number && history[2].TryGetInt32(out int output) && output == 0);
        return isFirst ? name : throw owner.KeyError(key, $"output {KerasJson.Describe(history[2])} of {ModelFormatException.Quote(name)} is meant; only layers with one output are supported", "0");
    }

    private static void RefuseArguments(KerasJson entry, JsonElement arguments)
    {
        foreach (JsonProperty argument in arguments.EnumerateObject().Where(argument => argument.Value.ValueKind != JsonValueKind.Null))
        {
            throw entry.KeyError("inbound_nodes", $"the layer is called with {ModelFormatException.Quote(argument.Name)}, which is not supported", "a call with tensors only");
        }
    }
}
