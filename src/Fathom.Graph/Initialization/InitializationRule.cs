namespace Fathom.Graphs.Initialization;

/// <summary>
/// A way to start a whole network, for which one layer's <see cref="Initializers.Initializer"/> does not know enough: it
/// depends on what reads the layer, on how many layers there are, or on the data. It is a rewrite of the graph, so that
/// theory and execution see the same network.
/// </summary>
public abstract record InitializationRule
{
    /// <summary>The name in model files, such as <c>fixup</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>The network with other initializers, and with what else the rule adds. Parameters that it does not mention stay.</summary>
    /// <param name="graph">The forward graph; it stays as it is.</param>
    /// <exception cref="GraphException">The rule does not apply to this network, or a setting is out of its range; one line that says why.</exception>
    public abstract Graph Apply(Graph graph);

    protected GraphException Error(string problem) => new($"initialization {Kind}: {problem}");

    public sealed override string ToString() => Kind;
}
