using Fathom.Graphs;

namespace Fathom.Diagnosis.Preflight;

/// <summary>Which nodes of a graph a computation takes.</summary>
internal static class NeededNodes
{
    /// <summary>The nodes that some values are computed from, their own included, in graph order.</summary>
    public static Node[] For(Graph graph, IEnumerable<Value> values)
    {
        HashSet<Node> needed = new(ReferenceEqualityComparer.Instance);
        Stack<Node> open = new(values.Select(value => value.Node));
        while (open.TryPop(out Node? node))
        {
            if (needed.Add(node))
            {
                foreach (Value input in node.Inputs)
                {
                    open.Push(input.Node);
                }
            }
        }
        return [.. graph.Nodes.Where(needed.Contains)];
    }

    /// <summary>The nodes on some path from a value to another, in graph order, the value's own node left out.</summary>
    public static Node[] Between(Graph graph, Value from, Value to)
    {
        HashSet<Node> reached = new(ReferenceEqualityComparer.Instance) { from.Node };
        List<Node> path = [];
        foreach (Node node in For(graph, [to]))
        {
            if (node != from.Node && node.Inputs.Any(input => reached.Contains(input.Node)))
            {
                reached.Add(node);
                path.Add(node);
            }
        }
        return [.. path];
    }
}
