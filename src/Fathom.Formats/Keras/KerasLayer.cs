using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;

namespace Fathom.Formats.Keras;

/// <summary>A layer of a Keras model: what its class's reader sees, and what it answers.</summary>
internal sealed class KerasLayer
{
    private readonly List<string> warnings;

    public KerasLayer(KerasJson config, string name, string className, IReadOnlyList<string> from, List<string> warnings)
    {
        (Config, Name, ClassName, From) = (config, name, className, from);
        this.warnings = warnings;
    }

    public KerasJson Config { get; }

    public string Name { get; }

    public string ClassName { get; }

    /// <summary>The Keras layers that it reads.</summary>
    public IReadOnlyList<string> From { get; }

    /// <summary>The nodes that it becomes, in order; each after the first reads the one before. None if it changes nothing.</summary>
    public List<(string Name, Op Op, IReadOnlyDictionary<string, Initializer> Initializers, Func<IReadOnlyList<TensorType>, string?>? Refuses)> Nodes { get; } = [];

    public void Emit(Op op, IReadOnlyDictionary<string, Initializer>? initializers = null, Func<IReadOnlyList<TensorType>, string?>? refuses = null) =>
        Nodes.Add((Name, op, initializers ?? ImmutableDictionary<string, Initializer>.Empty, refuses));

    /// <summary>Adds the activation that stands inside the layer as a node of its own.</summary>
    public void EmitActivation(string key)
    {
        if (KerasActivations.Read(Config, key) is { } activation)
        {
            Nodes.Add(($"{Name}_activation", activation, ImmutableDictionary<string, Initializer>.Empty, null));
        }
    }

    public void Warn(string text) => warnings.Add($"{Config.File}: {Config.Owner}: {text}");

    /// <summary>Refuses settings that would change the mathematics and that Fathom cannot follow.</summary>
    public void RefuseIfSet(string key, string what)
    {
        if (Config.Has(key))
        {
            throw Config.KeyError(key, $"{what} is not supported", "null");
        }
    }

    /// <summary>A penalty is refused unless it is 0: Fathom has no penalty on single parameters.</summary>
    public void RefuseRegularizer(string key)
    {
        if (Config.Object(key) is not { } regularizer)
        {
            return;
        }
        KerasJson? config = regularizer.Object("config");
        bool isZero = regularizer.Text("class_name", "") is "L1" or "L2" or "L1L2" && config is not null && config.Number("l1", 0) == 0 && config.Number("l2", 0) == 0;
        if (!isZero)
        {
            throw Config.KeyError(key, "a penalty on one layer's parameters is not supported; an optimizer's weight_decay acts on all of them", "null");
        }
    }
}
