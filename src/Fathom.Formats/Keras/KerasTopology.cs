using System.Text.Json;

namespace Fathom.Formats.Keras;

/// <summary>
/// Which layers a layer of a Functional model reads. Keras 2 writes <c>[[["a", 0, 0, {}], ["b", 0, 0, {}]]]</c>; Keras 3
/// writes the call's arguments, in which tensors carry their history: <c>["a", 0, 0]</c>. A list holds the layer, the
/// number of its call, and which of its results is meant.
/// </summary>
internal static class KerasTopology
{
    private const string Allowed = "calls, as Keras 2 or 3 writes them";

    /// <summary>What each call of a layer reads, in order, and what else it says.</summary>
    public static IReadOnlyList<(IReadOnlyList<KerasInput> Inputs, KerasJson? Arguments)> Calls(KerasJson entry)
    {
        JsonElement nodes = entry.Require("inbound_nodes", Allowed);
        if (nodes.ValueKind != JsonValueKind.Array || nodes.GetArrayLength() == 0)
        {
            throw entry.KeyError("inbound_nodes", "the layer is not called", Allowed);
        }
        return [.. nodes.EnumerateArray().Select(call => ReadCall(entry, call))];
    }

    /// <summary>The results of a model: <c>["a", 0, 0]</c>, or a list of such.</summary>
    public static IReadOnlyList<KerasInput> Outputs(KerasJson model)
    {
        JsonElement outputs = model.Require("output_layers", "a list such as [\"dense\", 0, 0]");
        List<KerasInput> results = [];
        if (IsHistory(outputs))
        {
            results.Add(History(model, "output_layers", outputs));
        }
        else if (outputs.ValueKind == JsonValueKind.Array)
        {
            results.AddRange(outputs.EnumerateArray().Select(output => History(model, "output_layers", output)));
        }
        return results.Count > 0 ? results : throw model.KeyError("output_layers", "no layer is named", "a list such as [\"dense\", 0, 0]");
    }

    private static (IReadOnlyList<KerasInput> Inputs, KerasJson? Arguments) ReadCall(KerasJson entry, JsonElement call)
    {
        List<KerasInput> inputs = [];
        KerasJson? arguments = call.ValueKind switch
        {
            JsonValueKind.Object => ReadArguments(entry, call, inputs),
            JsonValueKind.Array => ReadHistories(entry, call, inputs),
            _ => null,
        };
        return inputs.Count > 0 ? (inputs, arguments) : throw entry.KeyError("inbound_nodes", "no layer is named", Allowed);
    }

    private static KerasJson? ReadHistories(KerasJson entry, JsonElement call, List<KerasInput> inputs)
    {
        // A call with one tensor may stand without the list around it.
        JsonElement[] histories = IsHistory(call) ? [call] : [.. call.EnumerateArray()];
        JsonElement? named = null;
        foreach (JsonElement history in histories)
        {
            inputs.Add(History(entry, "inbound_nodes", history));
            if (history.GetArrayLength() > 3 && history[3].ValueKind == JsonValueKind.Object)
            {
                named ??= history[3];
            }
        }
        return named is { } arguments ? ReadNamed(entry, arguments, inputs) : null;
    }

    private static KerasJson? ReadArguments(KerasJson entry, JsonElement call, List<KerasInput> inputs)
    {
        if (!call.TryGetProperty("args", out JsonElement arguments) || arguments.ValueKind != JsonValueKind.Array)
        {
            throw entry.KeyError("inbound_nodes", "the call has no 'args'", Allowed);
        }
        foreach (JsonElement argument in arguments.EnumerateArray())
        {
            JsonElement[] tensors = argument.ValueKind == JsonValueKind.Array ? [.. argument.EnumerateArray()] : [argument];
            foreach (JsonElement tensor in tensors)
            {
                inputs.Add(Tensor(tensor, null) is { } history ? History(entry, "inbound_nodes", history)
                    : throw entry.KeyError("inbound_nodes", $"an argument is {KerasJson.Describe(tensor)}, and not the output of a layer", Allowed));
            }
        }
        return call.TryGetProperty("kwargs", out JsonElement named) && named.ValueKind == JsonValueKind.Object ? ReadNamed(entry, named, inputs) : null;
    }

    /// <summary>Arguments by name: tensors become inputs, the rest is for the layer's reader.</summary>
    private static KerasJson ReadNamed(KerasJson entry, JsonElement named, List<KerasInput> inputs)
    {
        KerasJson arguments = new(entry.File, entry.Owner, named);
        foreach (JsonProperty argument in named.EnumerateObject())
        {
            bool isList = argument.Value.ValueKind == JsonValueKind.Array && !IsHistory(argument.Value);
            JsonElement?[] tensors = isList ? [.. argument.Value.EnumerateArray().Select(element => Tensor(element, named))] : [Tensor(argument.Value, named)];
            if (tensors.Length > 0 && tensors.All(tensor => tensor is not null))
            {
                inputs.AddRange(tensors.Select(tensor => History(entry, "inbound_nodes", tensor!.Value) with { Argument = argument.Name }));
                arguments.Ignore(argument.Name);
            }
        }
        return arguments;
    }

    /// <summary>
    /// <c>{"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 0, 0]}}</c>; as an argument by name also
    /// <c>["a", 0, 0]</c>. Null for anything else.
    /// </summary>
    private static JsonElement? Tensor(JsonElement tensor, JsonElement? named)
    {
        if (tensor.ValueKind == JsonValueKind.Object && tensor.TryGetProperty("config", out JsonElement config)
            && config.ValueKind == JsonValueKind.Object && config.TryGetProperty("keras_history", out JsonElement history))
        {
            return history;
        }
        return named is not null && IsHistory(tensor) ? tensor : null;
    }

    private static bool IsHistory(JsonElement element) =>
        element.ValueKind == JsonValueKind.Array && element.GetArrayLength() >= 1 && element[0].ValueKind == JsonValueKind.String;

    private static KerasInput History(KerasJson owner, string key, JsonElement history)
    {
        const string allowed = "a list such as [\"dense\", 0, 0]";
        if (!IsHistory(history))
        {
            throw owner.KeyError(key, $"{KerasJson.Describe(history)} does not name the output of a layer", allowed);
        }
        int Number(int place) => history.GetArrayLength() <= place ? 0
            : history[place].ValueKind == JsonValueKind.Number && history[place].TryGetInt32(out int number) && number >= 0 ? number
            : throw owner.KeyError(key, $"{KerasJson.Describe(history[place])} is no number of a call or of a result", allowed);
        return new KerasInput(new KerasCall(history[0].GetString()!, Number(1)), Number(2), null);
    }
}
