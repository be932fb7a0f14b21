namespace Fathom.Graphs;

/// <summary>A network that cannot be: the message names the node, its op, what was expected and what was given.</summary>
public sealed class GraphException(string message) : Exception(message);
