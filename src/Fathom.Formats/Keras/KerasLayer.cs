using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Training.Regularization;

namespace Fathom.Formats.Keras;

/// <summary>A call of a layer, whose results others read: a layer may be called several times and then shares its weights.</summary>
internal readonly record struct KerasCall(string Layer, int Number);

/// <summary>A tensor that a layer reads.</summary>
/// <param name="From">The call that makes it.</param>
/// <param name="Output">Which of its results.</param>
/// <param name="Argument">The name of the argument that it is given for; null for a place in order.</param>
internal readonly record struct KerasInput(KerasCall From, int Output, string? Argument);

/// <summary>A node that a Keras layer becomes.</summary>
internal sealed record KerasNode(string Name, Op Op)
{
    public IReadOnlyDictionary<string, Initializer> Initializers { get; init; } = ImmutableDictionary<string, Initializer>.Empty;

    /// <summary>
    /// What it reads: nodes of the same layer, <see cref="KerasLayer.Input"/>, or a mask; null for the layer's node
    /// before, and for the first one all that the layer reads.
    /// </summary>
    public IReadOnlyList<string>? From { get; init; }

    /// <summary>Slots that are not trained.</summary>
    public IReadOnlyCollection<string> Frozen { get; init; } = [];

    public Func<IReadOnlyList<TensorType>, (Op Op, IReadOnlyDictionary<string, Initializer> Initializers)>? Resolve { get; init; }

    public Func<IReadOnlyList<TensorType>, string?>? Refuses { get; init; }
}

/// <summary>A call of a layer of a Keras model: what its class's reader sees, and what it answers.</summary>
internal sealed class KerasLayer
{
    private readonly List<string> warnings;
    private readonly IReadOnlyList<string?> masks;

    public KerasLayer(KerasJson config, string name, string className, IReadOnlyList<KerasInput> inputs, IReadOnlyList<string?> masks, List<string> warnings)
    {
        (Config, Name, ClassName, Inputs, this.masks) = (config, name, className, inputs, masks);
        this.warnings = warnings;
    }

    public KerasJson Config { get; private init; }

    /// <summary>The name of its last node.</summary>
    public string Name { get; private init; }

    public string ClassName { get; private init; }

    /// <summary>What it reads.</summary>
    public IReadOnlyList<KerasInput> Inputs { get; }

    /// <summary>What the call says beside tensors; null if nothing.</summary>
    public KerasJson? Arguments { get; init; }

    /// <summary>The name of the layer's first call, if this is a later one.</summary>
    public string? SharesWith { get; init; }

    /// <summary>The nodes that it becomes, in order. None if it changes nothing.</summary>
    public List<KerasNode> Nodes { get; private init; } = [];

    /// <summary>The nodes, or outputs of nodes, that are its results; empty for the last node's first output.</summary>
    public List<string> Outputs { get; } = [];

    /// <summary>The node that says which steps of its result are padding; null for none.</summary>
    public string? OutputMask { get; set; }

    /// <summary>How a node names one of <see cref="Inputs"/> as what it reads.</summary>
    public static string Input(int index) => FormattableString.Invariant($"${index}");

    /// <summary>The mask that comes with an input; null for none.</summary>
    public string? Mask(int input) => input < masks.Count ? masks[input] : null;

    /// <summary>The index of the input that is given for an argument, or of the input at a place; −1 if there is none.</summary>
    public int IndexOf(string argument, int place)
    {
        for (int i = 0; i < Inputs.Count; i++)
        {
            if (Inputs[i].Argument == argument || (Inputs[i].Argument is null && i == place))
            {
                return i;
            }
        }
        return -1;
    }

    /// <summary>A layer that stands in the config of a wrapper; its nodes become the wrapper's.</summary>
    public KerasLayer Inner(KerasJson config, string className, string name) =>
        new(config, name, className, Inputs, masks, warnings) { Nodes = Nodes, Regularizers = Regularizers, Arguments = Arguments };

    public string Emit(Op op, IReadOnlyDictionary<string, Initializer>? initializers = null, Func<IReadOnlyList<TensorType>, string?>? refuses = null) =>
        Emit(new KerasNode(Name, op) { Initializers = initializers ?? ImmutableDictionary<string, Initializer>.Empty, Refuses = refuses });

    public string Emit(KerasNode node)
    {
        Nodes.Add(node);
        return node.Name;
    }

    /// <summary>Adds the activation that stands inside the layer as a node of its own.</summary>
    public void EmitActivation(string key)
    {
        if (KerasActivations.Read(Config, key) is { } activation)
        {
            Emit(new KerasNode($"{Name}_activation", activation));
        }
    }

    /// <summary>A layer that is called several times says a thing once.</summary>
    public void Warn(string text)
    {
        string line = $"{Config.File}: {Config.Owner}: {text}";
        if (!warnings.Contains(line))
        {
            warnings.Add(line);
        }
    }

    /// <summary>Refuses settings that would change the mathematics and that Fathom cannot follow.</summary>
    public void RefuseIfSet(string key, string what)
    {
        if (Config.Has(key))
        {
            throw Config.KeyError(key, $"{what} is not supported", "null");
        }
    }

    /// <summary>Refuses a flag that is set.</summary>
    public void RefuseFlag(string key, string what)
    {
        if (Config.Flag(key, false))
        {
            throw Config.KeyError(key, $"{what} is not supported", "false");
        }
    }

    /// <summary>What keeps the layer's parameters in bounds beside the loss.</summary>
    public List<Regularizer> Regularizers { get; private init; } = [];

    /// <summary>Reads the penalty and the constraint on one parameter.</summary>
    /// <param name="key">What Keras calls the parameter, such as <c>kernel</c>.</param>
    /// <param name="parameter">The parameter's whole name in the graph.</param>
    /// <param name="exists">Whether the layer has it; if not, there is nothing to bound.</param>
    public void ReadBounds(string key, string parameter, bool exists = true) =>
        Regularizers.AddRange(KerasRegularizers.Read(Config, key, parameter).Where(_ => exists));
}
