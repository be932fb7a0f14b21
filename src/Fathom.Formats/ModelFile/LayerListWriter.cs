using System.Globalization;
using System.Text;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Formats.ModelFile;

/// <summary>
/// Writes the list under <c>layers</c>. Blocks of layers that follow one another and are alike become a repetition, if
/// their names are the automatic ones, or end in the number of the round.
/// </summary>
internal sealed class LayerListWriter
{
    private const int LongestBlock = 64;

    private readonly Node[] inputs;
    private readonly Node[] layers;
    private readonly bool[] isAutomatic;
    private readonly Dictionary<Node, int> positions = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Node, Node> firstReaders = new(ReferenceEqualityComparer.Instance);
    private readonly string[] bodies;
    private readonly string[] besides;
    private readonly int[] keys;
    private readonly StringBuilder text = new();

    private LayerListWriter(Graph graph)
    {
        inputs = [.. graph.Inputs];
        layers = [.. graph.Nodes.Where(node => node.Op is not (Input or Parameter))];
        for (int i = 0; i < inputs.Length; i++)
        {
            positions[inputs[i]] = i - inputs.Length;
        }
        for (int i = 0; i < layers.Length; i++)
        {
            positions[layers[i]] = i;
            foreach (Node parameter in layers[i].Parameters)
            {
                firstReaders.TryAdd(parameter, layers[i]);
            }
        }
        isAutomatic = AutomaticNames();
        bodies = [.. layers.Select(Body)];
        besides = [.. layers.Select(Beside)];
        Dictionary<string, int> known = [];
        keys = new int[layers.Length];
        for (int i = 0; i < keys.Length; i++)
        {
            string key = bodies[i] + "|" + besides[i] + "|" + string.Join(',', References(i, relative: true));
            keys[i] = known.TryAdd(key, known.Count) ? known.Count - 1 : known[key];
        }
    }

    /// <summary>The list's lines, indented by two spaces.</summary>
    /// <exception cref="ModelFormatException">The graph has something that a model file cannot say.</exception>
    public static string Write(Graph graph)
    {
        LayerListWriter writer = new(graph);
        writer.WriteAll();
        return writer.text.ToString();
    }

    /// <summary>The last layer of the file, which is the output unless the file says otherwise.</summary>
    public static Node? LastLayer(Graph graph) => graph.Nodes.LastOrDefault(node => node.Op is not (Input or Parameter));

    /// <summary>How a value is named in a file.</summary>
    public static string Reference(Value value) => value.Name;

    private void WriteAll()
    {
        for (int at = 0; at < layers.Length;)
        {
            (int length, int rounds) = BestRepetition(at);
            if (rounds > 1)
            {
                text.Append(CultureInfo.InvariantCulture, $"  - repeat: {rounds}\n    layers:\n");
                for (int i = at; i < at + length; i++)
                {
                    string? name = isAutomatic[i] ? null : BaseName(i, 1);
                    WriteEntry("      - ", i, name, References(i, relative: true));
                }
                at += length * rounds;
            }
            else
            {
                WriteEntry("  - ", at, isAutomatic[at] ? null : layers[at].Name, References(at, relative: false));
                at++;
            }
        }
    }

    private void WriteEntry(string start, int index, string? name, string[] references)
    {
        string body = bodies[index];
        text.Append(start);
        if (name is null && references.Length == 0 && besides[index].Length == 0)
        {
            text.Append(body).Append('\n');
            return;
        }
        text.Append('{').Append(body.Contains(": ", StringComparison.Ordinal) ? body : body + ": {}");
        if (name is not null)
        {
            text.Append(", name: ").Append(YamlWords.Text(name));
        }
        if (references.Length > 0)
        {
            text.Append(", from: ").Append(references.Length == 1 ? references[0] : $"[{string.Join(", ", references)}]");
        }
        text.Append(besides[index]).Append("}\n");
    }

    /// <summary>The op with its settings and the initializers that are not its own.</summary>
    private string Body(Node node)
    {
        if (!OpCatalog.ByKind.TryGetValue(node.Op.Kind, out Op? defaults) || defaults.GetType() != node.Op.GetType())
        {
            throw new ModelFormatException($"{node.Name} ({node.Op.Kind}): this op has no name in model files");
        }
        return YamlWords.Component(node.Op.Kind, node.Op, defaults, Initializers(node));
    }

    private IEnumerable<(string Key, string Value)> Initializers(Node node) => Own(node)
        .Where(own => firstReaders[own.Parameter] == node && !((Parameter)own.Parameter.Op).Initializer.Equals(own.Slot.Initializer))
        .Select(own => (own.Slot.Name, YamlWords.Initializer(((Parameter)own.Parameter.Op).Initializer)));

    /// <summary>What stands beside the layer about its parameters: names that are not its own, and which of them are frozen.</summary>
    private static string Beside(Node node)
    {
        List<(ParameterSlot Slot, Node Parameter)> own = Own(node);
        (string, string)[] named = [.. own.Where(own => own.Parameter.Name != node.Op.ParameterName(node.Name, own.Slot.Name))
            .Select(own => (own.Slot.Name, YamlWords.Text(own.Parameter.Name)))];
        string[] frozen = [.. own.Where(own => own.Slot.Trainable && !((Parameter)own.Parameter.Op).Trainable).Select(own => own.Slot.Name)];
        return (named.Length == 0 ? "" : $", parameters: {YamlWords.Flow(named)}")
            + (frozen.Length == 0 ? "" : frozen.Length == own.Count(own => own.Slot.Trainable) ? ", frozen: true" : $", frozen: [{string.Join(", ", frozen)}]");
    }

    /// <summary>The layer's slots with the parameters that fill them.</summary>
    private static List<(ParameterSlot Slot, Node Parameter)> Own(Node node)
    {
        ParameterSlot[] slots = [.. GraphBuilder.SlotsOf(node.Op, node.Name, [.. node.DataInputs.Select(value => value.Type)])];
        Node[] parameters = [.. node.Parameters];
        if (slots.Length != parameters.Length || slots.Where((slot, i) => !slot.Trainable && ((Parameter)parameters[i].Op).Trainable).Any())
        {
            throw new ModelFormatException($"{node.Name} ({node.Op.Kind}): parameters that the layer does not own, as operands, have no form in model files");
        }
        return [.. slots.Zip(parameters)];
    }

    /// <summary>What a layer reads, unless that is the layer before it alone.</summary>
    private string[] References(int index, bool relative)
    {
        Value[] from = [.. layers[index].DataInputs];
        if (from.Length == 0)
        {
            throw new ModelFormatException($"{layers[index].Name} ({layers[index].Op.Kind}): a layer without an input has no form in model files");
        }
        if (from is [{ Index: 0 } only] && positions[only.Node] == index - 1)
        {
            return [];
        }
        return [.. from.Select(value => relative && positions[value.Node] >= 0
            ? (positions[value.Node] - index).ToString(CultureInfo.InvariantCulture) + (value.Index == 0 ? "" : $":{value.Index.ToString(CultureInfo.InvariantCulture)}")
            : YamlWords.Text(Reference(value)))];
    }

    /// <summary>
    /// Which layers would get their names back if they had none. Names that are given are set aside first, which can
    /// make other names automatic no longer, so this is repeated until it stands.
    /// </summary>
    private bool[] AutomaticNames()
    {
        bool[] automatic = [.. layers.Select(layer => layer.Name.StartsWith(layer.Op.Kind + "_", StringComparison.Ordinal)
            && int.TryParse(layer.Name.AsSpan(layer.Op.Kind.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out _))];
        for (bool changed = true; changed;)
        {
            changed = false;
            HashSet<string> taken = [.. inputs.Select(input => input.Name)];
            taken.UnionWith(layers.Where((_, index) => !automatic[index]).Select(layer => layer.Name));
            Dictionary<string, int> counters = [];
            for (int i = 0; i < layers.Length; i++)
            {
                if (automatic[i] && GraphAssembler.AutomaticName(layers[i].Op.Kind, taken, counters) != layers[i].Name)
                {
                    automatic[i] = false;
                    changed = true;
                }
            }
        }
        return automatic;
    }

    /// <summary>The shortest block with which a repetition from here covers most layers; 1 round if it would save no line.</summary>
    private (int Length, int Rounds) BestRepetition(int start)
    {
        (int Length, int Rounds) best = (1, 1);
        for (int length = 1; length <= Math.Min(LongestBlock, (layers.Length - start) / 2); length++)
        {
            int rounds = 1;
            while (IsRound(start, length, rounds + 1))
            {
                rounds++;
            }
            if (rounds > 1 && length * (rounds - 1) > 2 && length * rounds > best.Length * best.Rounds && IsRound(start, length, 1))
            {
                best = (length, rounds);
            }
        }
        return best;
    }

    private bool IsRound(int start, int length, int round)
    {
        int offset = start + (round - 1) * length;
        if (offset + length > layers.Length)
        {
            return false;
        }
        for (int i = 0; i < length; i++)
        {
            bool sameName = isAutomatic[offset + i] == isAutomatic[start + i]
                && (isAutomatic[start + i] || (BaseName(start + i, 1) is { } name && name == BaseName(offset + i, round)));
            if (keys[offset + i] != keys[start + i] || !sameName)
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>The name without the number of the round; null if it does not end in it.</summary>
    private string? BaseName(int index, int round)
    {
        string suffix = string.Create(CultureInfo.InvariantCulture, $"_{round}");
        string name = layers[index].Name;
        return name.Length > suffix.Length && name.EndsWith(suffix, StringComparison.Ordinal) ? name[..^suffix.Length] : null;
    }
}
