using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Training;

namespace Fathom.Formats;

/// <summary>
/// Makes a graph of layers that name each other in any order. The order of the file is kept where it can be: of the
/// layers whose inputs exist, the first in the file comes first.
/// </summary>
internal sealed partial class GraphAssembler
{
    private readonly IReadOnlyList<InputSpec> inputs;
    private readonly IReadOnlyList<LayerSpec> layers;
    private readonly string[] names;
    private readonly Dictionary<string, int> positions = new(StringComparer.Ordinal);
    private readonly Source[][] sources;
    private readonly GraphBuilder builder = new();
    private readonly Value[] values;

    private GraphAssembler(IReadOnlyList<InputSpec> inputs, IReadOnlyList<LayerSpec> layers)
    {
        (this.inputs, this.layers) = (inputs, layers);
        names = NameAll();
        for (int i = 0; i < inputs.Count; i++)
        {
            positions.TryAdd(inputs[i].Name, i - inputs.Count);
        }
        // In the order of the file the inputs stand directly before the first layer, so that -1 there is the last one.
        positions.TryAdd(Network.InputName, -inputs.Count);
        sources = [.. layers.Select((layer, index) => Resolve(layer, index))];
        values = new Value[inputs.Count + layers.Count];
    }

    /// <summary>
    /// A place in the file (negative for an input) and an output of what stands there; of a block, the node within it
    /// whose output it is, or null for the block's own.
    /// </summary>
    private readonly record struct Source(int Position, int Output, string? Inner = null);

    /// <summary>Makes the graph.</summary>
    /// <param name="inputs">At least one.</param>
    /// <param name="layers">At least one.</param>
    /// <param name="outputs">Names of the layers that are outputs; null for the last layer.</param>
    /// <param name="outputError">Makes the error for an output that does not exist.</param>
    /// <exception cref="ModelFormatException">By the origin of the layer that is wrong.</exception>
    public static Graph Assemble(IReadOnlyList<InputSpec> inputs, IReadOnlyList<LayerSpec> layers,
        IReadOnlyList<string>? outputs = null, Func<int, string, ModelFormatException>? outputError = null) =>
        new GraphAssembler(inputs, layers).Build(outputs, outputError);

    private Graph Build(IReadOnlyList<string>? outputs, Func<int, string, ModelFormatException>? outputError)
    {
        for (int i = 0; i < inputs.Count; i++)
        {
            values[i] = builder.Input(inputs[i].Name, inputs[i].Type);
        }
        foreach (int index in Order())
        {
            values[inputs.Count + index] = Add(index);
        }
        List<Value> results = [];
        for (int i = 0; i < (outputs?.Count ?? 0); i++)
        {
            Source source = Find(outputs![i], layers.Count, [], problem => outputError!(i, problem));
            results.Add(ValueOf(source, problem => outputError!(i, problem)));
        }
        return builder.Build(outputs is null ? [values[^1]] : [.. results]);
    }

    /// <summary>Automatic names are the kind with a running number, by the order of the file; given names go first.</summary>
    private string[] NameAll()
    {
        HashSet<string> taken = [.. inputs.Select(input => input.Name)];
        foreach (LayerSpec layer in layers.Where(layer => layer.Name is not null))
        {
            if (layer.Name!.Length == 0 || Distance().IsMatch(layer.Name))
            {
                throw layer.Origin.SettingError("name", $"{ModelFormatException.Quote(layer.Name)} is no name", "a text that is neither empty nor a negative number");
            }
            if (!taken.Add(layer.Name))
            {
                throw layer.Origin.SettingError("name", $"{ModelFormatException.Quote(layer.Name)} is taken by another layer or an input", "names that occur once");
            }
        }
        Dictionary<string, int> counters = [];
        string[] result = new string[layers.Count];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = layers[i].Name ?? AutomaticName(layers[i].Kind, taken, counters);
            positions[result[i]] = i;
        }
        return result;
    }

    /// <summary>The next free name of the form <c>kind_number</c>.</summary>
    internal static string AutomaticName(string kind, HashSet<string> taken, Dictionary<string, int> counters)
    {
        int number = counters.GetValueOrDefault(kind);
        string name;
        do
        {
            name = string.Create(CultureInfo.InvariantCulture, $"{kind}_{++number}");
        }
        while (taken.Contains(name));
        counters[kind] = number;
        return name;
    }

    private Source[] Resolve(LayerSpec layer, int index)
    {
        if (layer.From is null)
        {
            return [new Source(index - 1, 0)];
        }
        return [.. layer.From.Select((text, at) => Find(text, index, layer.Rounds, problem => layer.Origin.ReferenceError(at, problem)))];
    }

    private Source Find(string text, int index, ImmutableArray<int> rounds, Func<string, ModelFormatException> error)
    {
        if (FindName(text, rounds) is { } whole)
        {
            return whole;
        }
        Match parts = WithOutput().Match(text);
        string name = parts.Success ? parts.Groups[1].Value : text;
        int output = parts.Success ? int.Parse(parts.Groups[2].ValueSpan, CultureInfo.InvariantCulture) : 0;
        if (Distance().IsMatch(name))
        {
            if (!int.TryParse(name, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int back) || index + back < -inputs.Count)
            {
                throw error($"{ModelFormatException.Quote(name)} goes back beyond the input; {index} layers stand before this one");
            }
            return new Source(index + back, output);
        }
        return FindName(name, rounds) is { } position
            ? position with { Output = output }
            : throw error($"{Spelling.Unknown("layer", name, positions.Keys)}: {ModelFormatException.Quote(name)}; allowed: the name of a layer, '{Network.InputName}', or a distance such as -2");
    }

    /// <summary>Looks in the same round of the innermost repetition first, then further and further out.</summary>
    private Source? FindName(string name, ImmutableArray<int> rounds)
    {
        for (int depth = rounds.Length; depth >= 0; depth--)
        {
            if (positions.TryGetValue(InRound(name, rounds.AsSpan(0, depth)), out int position))
            {
                return new Source(position, 0);
            }
        }
        // A node within a block goes by the block's name and its own: block.part.
        for (int dot = name.LastIndexOf('.'); dot > 0; dot = name.LastIndexOf('.', dot - 1))
        {
            if (FindName(name[..dot], rounds) is { Inner: null, Position: >= 0 } found && layers[found.Position].Block is not null)
            {
                return found with { Inner = names[found.Position] + name[dot..] };
            }
        }
        return null;
    }

    /// <summary>The name of a layer in a repetition: with the number of each round, <c>block_3</c>.</summary>
    internal static string InRound(string name, ReadOnlySpan<int> rounds)
    {
        foreach (int round in rounds)
        {
            name = string.Create(CultureInfo.InvariantCulture, $"{name}_{round}");
        }
        return name;
    }

    /// <summary>Kahn's algorithm, with the first layer of the file taken first.</summary>
    private List<int> Order()
    {
        int[] missing = [.. sources.Select(from => from.Count(source => source.Position >= 0))];
        List<int>[] readers = [.. layers.Select(_ => new List<int>())];
        PriorityQueue<int, int> ready = new();
        for (int i = 0; i < sources.Length; i++)
        {
            foreach (Source source in sources[i].Where(source => source.Position >= 0))
            {
                readers[source.Position].Add(i);
            }
            if (missing[i] == 0)
            {
                ready.Enqueue(i, i);
            }
        }
        List<int> order = new(layers.Count);
        while (ready.TryDequeue(out int next, out _))
        {
            order.Add(next);
            foreach (int reader in readers[next])
            {
                if (--missing[reader] == 0)
                {
                    ready.Enqueue(reader, reader);
                }
            }
        }
        return order.Count == layers.Count ? order : throw CircleError(missing);
    }

    private ModelFormatException CircleError(int[] missing)
    {
        // Every layer that could not be placed reads another such layer, so going back must come to one seen before.
        List<int> path = [];
        Dictionary<int, int> seen = [];
        int at = Array.FindIndex(missing, count => count > 0);
        while (seen.TryAdd(at, path.Count))
        {
            path.Add(at);
            at = sources[at].First(source => source.Position >= 0 && missing[source.Position] > 0).Position;
        }
        List<int> circle = path[seen[at]..];
        circle.Reverse();
        int first = circle.IndexOf(circle.Min());
        IEnumerable<int> fromFirst = [.. circle[first..], .. circle[..first], circle[first]];
        return layers[circle[first]].Origin.Error($"the layers form a circle: {string.Join(" → ", fromFirst.Select(index => names[index]))}; a layer cannot feed itself");
    }

    private Value Add(int index)
    {
        LayerSpec layer = layers[index];
        Value[] from = [.. sources[index].Select((source, at) => ValueOf(source, problem => layer.Origin.ReferenceError(at, problem)))];
        TensorType[] types = [.. from.Select(value => value.Type)];
        if (layer.Refuses?.Invoke(types) is { } refusal)
        {
            throw layer.Origin.Error(refusal);
        }
        try
        {
            return layer.Op is { } op ? AddOp(layer, op, names[index], from, types) : AddBlock(layer, names[index], from);
        }
        catch (GraphException error)
        {
            throw Located(layer.Origin, error);
        }
        catch (OverflowException)
        {
            throw layer.Origin.Error($"{names[index]} ({layer.Kind}): its settings are too large for an input of shape {string.Join(", ", types.Select(type => type.ToString()))}; a tensor may have at most {int.MaxValue} elements");
        }
    }

    private Value AddOp(LayerSpec layer, Op op, string name, Value[] from, TensorType[] types)
    {
        IReadOnlyDictionary<string, Initializer> initializers = layer.Initializers;
        IReadOnlyDictionary<string, string> parameters = layer.Parameters;
        if (layer.Resolve is { } resolve)
        {
            (op, initializers) = resolve(types);
        }
        if (layer.SharesWith is { } first)
        {
            parameters = GraphBuilder.SlotsOf(op, name, types).ToDictionary(slot => slot.Name, slot => op.ParameterName(first, slot.Name));
        }
        IEnumerable<string> given = [.. initializers.Keys, .. parameters.Keys, .. layer.Frozen ?? []];
        if (given.Any() || types.Length > 0)
        {
            CheckSlots(layer.Origin, op, name, types, given);
        }
        return builder.Layer(op, name, from, initializers, parameters, slot => layer.Frozen?.Contains(slot) ?? true);
    }

    private Value AddBlock(LayerSpec layer, string name, Value[] from)
    {
        HashSet<string> asked = [];
        Value output = builder.Block(layer.Block!, name, from, layer.Initializers, layer.Parameters, key =>
        {
            asked.Add(key);
            return layer.Frozen?.Contains(key) ?? true;
        });
        return layer.Frozen?.FirstOrDefault(key => !asked.Contains(key)) is { } stranger
            ? throw layer.Origin.SettingError("frozen", $"the block has no parameter {ModelFormatException.Quote(stranger)}", asked.Count == 0 ? "none" : Spelling.List(asked))
            : output;
    }

    private static void CheckSlots(LayerOrigin origin, Op op, string name, TensorType[] types, IEnumerable<string> given)
    {
        ImmutableArray<ParameterSlot> slots = GraphBuilder.SlotsOf(op, name, types);
        if (slots.IsEmpty && given.Any())
        {
            // Before a parameter is called foreign, the shape rule may know that the input is what is wrong.
            op.Infer(new ShapeScope(name, op, types));
        }
        foreach (string key in given.Where(key => !slots.Any(slot => slot.Name == key)))
        {
            throw origin.SettingError(key, "the layer has no such parameter with these settings",
                slots.IsEmpty ? "none" : Spelling.List(slots.Select(slot => slot.Name)));
        }
        foreach (ParameterSlot slot in slots.Where(slot => slot.Shape.ElementsPerSample > int.MaxValue))
        {
            throw origin.Error($"{name} ({op.Kind}): {slot.Name} would have the shape {slot.Shape}; a parameter may have at most {int.MaxValue} elements");
        }
    }

    private Value ValueOf(Source source, Func<string, ModelFormatException> error)
    {
        Value value = values[source.Position + inputs.Count];
        if (source.Inner is { } inner)
        {
            value = builder.Find(inner) ?? throw error($"the block {names[source.Position]} has no layer {ModelFormatException.Quote(inner)}");
        }
        return source.Output == 0 ? value
            : source.Output < value.Node.Outputs.Length ? new Value(value.Node, source.Output)
            : throw error($"{value.Node.Name} has {value.Node.Outputs.Length} output{(value.Node.Outputs.Length == 1 ? "" : "s")}, and outputs are counted from 0; output {source.Output} does not exist");
    }

    /// <summary>«dense_1 (dense): units is 0; it must be 1 or more» is about one setting, so point at that.</summary>
    private static ModelFormatException Located(LayerOrigin origin, GraphException error) =>
        OutOfRange().Match(error.Message) is { Success: true } match
            ? origin.SettingError(match.Groups["setting"].Value, $"{match.Groups["value"].Value} is out of range", match.Groups["allowed"].Value)
            : origin.Error(error.Message);

    [GeneratedRegex(@"^(?s:.*: )?(?<setting>[a-z0-9_]+) is (?<value>[^;]*); it must be (?<allowed>.*)$")]
    internal static partial Regex OutOfRange();

    [GeneratedRegex(@"^-[0-9]+$")]
    private static partial Regex Distance();

    [GeneratedRegex(@"^(.+):([0-9]{1,6})$", RegexOptions.Singleline)]
    private static partial Regex WithOutput();
}
