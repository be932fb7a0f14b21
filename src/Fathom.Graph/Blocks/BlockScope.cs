using System.Collections.Immutable;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs;

/// <summary>What a block sees while it expands: its name and inputs; how it adds layers, and says what is wrong.</summary>
public sealed class BlockScope
{
    private readonly GraphBuilder builder;
    private readonly Block block;
    private readonly BlockParameters given;

    internal BlockScope(GraphBuilder builder, Block block, string name, ImmutableArray<Value> inputs, BlockParameters given) =>
        (this.builder, this.block, Name, Inputs, this.given) = (builder, block, name, inputs, given);

    /// <summary>The block's name, with which the names of its nodes begin.</summary>
    public string Name { get; }

    /// <summary>The data inputs.</summary>
    public ImmutableArray<Value> Inputs { get; }

    /// <summary>Adds a layer named <c>block.part</c>.</summary>
    /// <param name="op">What the layer does.</param>
    /// <param name="part">Its name within the block; empty for the block's own name, which one layer may have.</param>
    /// <param name="inputs">Its data inputs.</param>
    /// <param name="initializers">Initializers by slot name, in place of the op's own; what the block was given goes first.</param>
    /// <param name="parameters">Whole names of parameters by slot name, in place of the op's own; what the block was given goes first.</param>
    public Value Layer(Op op, string part, ReadOnlySpan<Value> inputs, IReadOnlyDictionary<string, Initializer>? initializers = null,
        IReadOnlyDictionary<string, string>? parameters = null)
    {
        string name = part.Length == 0 ? Name : $"{Name}.{part}";
        if (part.Length == 0)
        {
            builder.Release(Name);
        }
        TensorType[] types = new TensorType[inputs.Length];
        for (int i = 0; i < types.Length; i++)
        {
            types[i] = inputs[i].Type;
        }
        Dictionary<string, Initializer> starts = new(initializers ?? ImmutableDictionary<string, Initializer>.Empty);
        Dictionary<string, string> names = new(parameters ?? ImmutableDictionary<string, string>.Empty);
        HashSet<string> frozen = [];
        foreach (ParameterSlot slot in GraphBuilder.SlotsOf(op, name, types))
        {
            string own = names.GetValueOrDefault(slot.Name) ?? op.ParameterName(name, slot.Name);
            if (builder.IsParameter(given.NameOf(own)))
            {
                starts.Remove(slot.Name); // a shared parameter starts as its first reader says, not as this block would have it
            }
            given.Apply(slot.Name, own, starts, names, frozen);
        }
        return builder.Layer(op, name, inputs, starts, names, frozen.Contains);
    }

    /// <summary>Adds another block, named <c>block.part</c>.</summary>
    public Value Block(Block inner, string part, params ReadOnlySpan<Value> inputs) =>
        inner.Expand(new BlockScope(builder, inner, $"{Name}.{part}", [.. inputs], given));

    /// <summary>An error of the form «name (block): expected …, given …».</summary>
    public GraphException Error(string expected, string given) => new($"{Name} ({block.Kind}): expected {expected}, given {given}");

    /// <summary>A setting of the block is out of its range.</summary>
    public GraphException BadAttribute(string attribute, object value, string allowed) =>
        new($"{Name} ({block.Kind}): {attribute} is {FormattableString.Invariant($"{value}")}; it must be {allowed}");

    public void RequireCount(int count)
    {
        if (Inputs.Length != count)
        {
            throw Error(count == 1 ? "1 input" : $"{count} inputs", Inputs.Length.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    internal Value Run()
    {
        Value output = block.Expand(this);
        given.Check($"{Name} ({block.Kind})");
        return output;
    }
}

/// <summary>What is said about a block's parameters from outside, by their names without the block's.</summary>
internal sealed class BlockParameters(string block, IReadOnlyDictionary<string, Initializer>? initializers, IReadOnlyDictionary<string, string>? names, Predicate<string>? frozen)
{
    private readonly List<string> known = [];

    /// <summary>What a parameter is called in the end.</summary>
    public string NameOf(string parameter) => names?.GetValueOrDefault(Key(parameter)) ?? parameter;

    /// <summary>Puts what is said about one parameter in place of what the block itself says about a layer's slot.</summary>
    public void Apply(string slot, string parameter, Dictionary<string, Initializer> slotInitializers, Dictionary<string, string> slotNames, HashSet<string> frozenSlots)
    {
        string key = Key(parameter);
        known.Add(key);
        if (initializers?.GetValueOrDefault(key) is { } initializer)
        {
            slotInitializers[slot] = initializer;
        }
        if (names?.GetValueOrDefault(key) is { } name)
        {
            slotNames[slot] = name;
        }
        if (frozen?.Invoke(key) ?? false)
        {
            frozenSlots.Add(slot);
        }
    }

    private string Key(string parameter) => parameter.StartsWith(block + ".", StringComparison.Ordinal) ? parameter[(block.Length + 1)..] : parameter;

    public void Check(string where)
    {
        IEnumerable<string> keys = [.. initializers?.Keys ?? [], .. names?.Keys ?? []];
        if (keys.FirstOrDefault(key => !known.Contains(key)) is { } stranger)
        {
            throw new GraphException($"{where}: it has no parameter {stranger}; it has {(known.Count == 0 ? "none" : string.Join(", ", known))}");
        }
    }
}
