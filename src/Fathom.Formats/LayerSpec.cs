using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;

namespace Fathom.Formats;

/// <summary>Where a layer stands in its file, to say what is wrong with it.</summary>
internal abstract class LayerOrigin
{
    /// <summary>Something is wrong with the layer as a whole.</summary>
    public abstract ModelFormatException Error(string problem);

    /// <summary>One of its settings has a value that is not allowed.</summary>
    public abstract ModelFormatException SettingError(string setting, string problem, string allowed);

    /// <summary>One of the layers that it names as its input is wrong.</summary>
    public abstract ModelFormatException ReferenceError(int index, string problem);
}

/// <summary>A layer as a file describes it, before it has a place in a graph.</summary>
internal sealed class LayerSpec
{
    /// <summary>What it does, unless it is a block.</summary>
    public Op? Op { get; init; }

    /// <summary>The block that it is, if it is one.</summary>
    public Block? Block { get; init; }

    public string Kind => Op?.Kind ?? Block!.Kind;

    public required LayerOrigin Origin { get; init; }

    /// <summary>Its name; null for the automatic one.</summary>
    public string? Name { get; init; }

    /// <summary>Which round of each enclosing repetition it stands in, outermost first and counted from 1.</summary>
    public ImmutableArray<int> Rounds { get; init; } = [];

    /// <summary>
    /// What it reads: names, names with an output index (<c>lstm_1:1</c>), or distances back in the file (<c>-2</c>);
    /// null for the layer before.
    /// </summary>
    public IReadOnlyList<string>? From { get; init; }

    /// <summary>Initializers by slot name; of a block by the parameter's name without the block's.</summary>
    public IReadOnlyDictionary<string, Initializer> Initializers { get; init; } = ImmutableDictionary<string, Initializer>.Empty;

    /// <summary>Names of parameters, by the same keys; those that another layer has too are shared.</summary>
    public IReadOnlyDictionary<string, string> Parameters { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Parameters that are not trained, by the same keys; null for all of them.</summary>
    public IReadOnlyCollection<string>? Frozen { get; init; } = [];

    /// <summary>
    /// The op and its initializers once the types that arrive are known, in place of <see cref="Op"/> and
    /// <see cref="Initializers"/>: for a format that counts axes or fans in its own way.
    /// </summary>
    public Func<IReadOnlyList<TensorType>, (Op Op, IReadOnlyDictionary<string, Initializer> Initializers)>? Resolve { get; init; }

    /// <summary>The node whose parameters this layer shares, all of them; null if it has its own.</summary>
    public string? SharesWith { get; init; }

    /// <summary>Says what is wrong with the shapes that arrive, where the file's format allows less than the op; null for nothing.</summary>
    public Func<IReadOnlyList<TensorType>, string?>? Refuses { get; init; }
}

/// <summary>An input of a network as a file describes it.</summary>
internal sealed record InputSpec(string Name, TensorType Type);
