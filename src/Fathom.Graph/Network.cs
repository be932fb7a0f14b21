using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs;

/// <summary>
/// The fluent way to write a network down:
/// <c>Network.Input(64).Dense(64).Sigmoid().Dense(10).Build()</c>. Each op adds its own verb beside its definition. A
/// cursor is a value in a graph under construction; keep one to branch from it.
/// </summary>
public static class Network
{
    public const string InputName = "input";

    /// <summary>Starts a network on samples of the given shape; the batch axis is added in front.</summary>
    public static NetworkCursor Input(params ReadOnlySpan<int> features) => Input(ElementKind.Real, features);

    /// <summary>Starts a network on samples of indices, such as the tokens of a sequence; the batch axis is added in front.</summary>
    public static NetworkCursor Indices(params ReadOnlySpan<int> features) => Input(ElementKind.Index, features);

    private static NetworkCursor Input(ElementKind kind, ReadOnlySpan<int> features)
    {
        GraphBuilder builder = new();
        foreach (int feature in features)
        {
            if (feature < 1)
            {
                throw new GraphException($"{InputName} (input): the extent {feature} is below 1");
            }
        }
        return new NetworkCursor(builder, builder.Input(InputName, new TensorType(Shape.OfSamples(features), kind)));
    }
}

/// <summary>A value of a network under construction, from which the next layer goes on.</summary>
public sealed class NetworkCursor
{
    internal NetworkCursor(GraphBuilder builder, Value value)
    {
        Builder = builder;
        Value = value;
    }

    public GraphBuilder Builder { get; }

    public Value Value { get; }

    /// <summary>Applies an op to this value and to others of the same network.</summary>
    /// <param name="op">The op.</param>
    /// <param name="name">Node name; null for the kind with a running number.</param>
    /// <param name="initializers">Initializers by parameter name.</param>
    /// <param name="others">Further inputs, after this value.</param>
    public NetworkCursor Then(Op op, string? name = null, IReadOnlyDictionary<string, Initializer>? initializers = null, params ReadOnlySpan<NetworkCursor> others) =>
        Then(op, name, initializers, null, others);

    /// <summary>Applies an op whose parameters have names of their own, or are those of another layer.</summary>
    /// <param name="op">The op.</param>
    /// <param name="name">Node name; null for the kind with a running number.</param>
    /// <param name="initializers">Initializers by parameter name.</param>
    /// <param name="parameters">Names of parameters by slot; one that is there already is shared.</param>
    /// <param name="others">Further inputs, after this value.</param>
    public NetworkCursor Then(Op op, string? name, IReadOnlyDictionary<string, Initializer>? initializers, IReadOnlyDictionary<string, string>? parameters, params ReadOnlySpan<NetworkCursor> others) =>
        new(Builder, Builder.Layer(op, name, With(others, op.Kind), initializers, parameters));

    /// <summary>Applies a block to this value and to others of the same network.</summary>
    /// <param name="block">The block.</param>
    /// <param name="name">Its name, with which the names of its nodes begin; null for the kind with a running number.</param>
    /// <param name="initializers">Initializers by the parameter's name without the block's.</param>
    /// <param name="others">Further inputs, after this value.</param>
    public NetworkCursor Then(Block block, string? name = null, IReadOnlyDictionary<string, Initializer>? initializers = null, params ReadOnlySpan<NetworkCursor> others) =>
        Then(block, name, initializers, null, others);

    /// <summary>Applies a block whose parameters have names of their own, or are those of another layer.</summary>
    /// <param name="block">The block.</param>
    /// <param name="name">Its name, with which the names of its nodes begin; null for the kind with a running number.</param>
    /// <param name="initializers">Initializers by the parameter's name without the block's.</param>
    /// <param name="parameters">Names of parameters by the same keys; one that is there already is shared.</param>
    /// <param name="others">Further inputs, after this value.</param>
    public NetworkCursor Then(Block block, string? name, IReadOnlyDictionary<string, Initializer>? initializers, IReadOnlyDictionary<string, string>? parameters, params ReadOnlySpan<NetworkCursor> others) =>
        new(Builder, Builder.Block(block, name, With(others, block.Kind), initializers, parameters));

    private Value[] With(ReadOnlySpan<NetworkCursor> others, string kind)
    {
        Value[] inputs = new Value[others.Length + 1];
        inputs[0] = Value;
        for (int i = 0; i < others.Length; i++)
        {
            if (!ReferenceEquals(others[i].Builder, Builder))
            {
                throw new GraphException($"{kind}: {others[i].Value} belongs to another network");
            }
            inputs[i + 1] = others[i].Value;
        }
        return inputs;
    }

    /// <summary>Repeats a block.</summary>
    public NetworkCursor Repeat(int times, Func<NetworkCursor, NetworkCursor> block)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(times);
        NetworkCursor cursor = this;
        for (int i = 0; i < times; i++)
        {
            cursor = block(cursor);
        }
        return cursor;
    }

    /// <summary>Closes the graph with this value as its output.</summary>
    public Graph Build() => Builder.Build(Value);
}
