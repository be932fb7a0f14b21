using Fathom.Graphs.Ops;

namespace Fathom.Graphs;

/// <summary>
/// Activation checkpointing: of the forward pass only some values are held for the backward pass, about √n of n; the
/// others are computed again, segment by segment, when the backward pass comes to them. That is at most one more forward
/// pass. The repeated nodes run the same kernels on the same bits, draw the same random numbers and update no running
/// statistics, so gradients are the same to the last bit. Chen et al. (2016), Training Deep Nets with Sublinear Memory Cost.
/// </summary>
public static class Recomputation
{
    /// <summary>Rewrites a graph that has its backward pass in it.</summary>
    /// <param name="forward">The forward pass, whose nodes are the graph's first.</param>
    /// <param name="differentiated">The graph with its backward pass; it stays as it is.</param>
    /// <param name="wanted">Values of the forward pass that are read after the backward pass too.</param>
    /// <returns>The same forward nodes, and a backward pass that repeats some of them.</returns>
    public static DifferentiatedGraph Apply(Graph forward, DifferentiatedGraph differentiated, IReadOnlyCollection<Value> wanted)
    {
        HashSet<Node> before = new(forward.Nodes, ReferenceEqualityComparer.Instance);
        HashSet<Value> readBack = [.. differentiated.Graph.Nodes.Where(node => !before.Contains(node)).SelectMany(node => node.Inputs).Where(value => before.Contains(value.Node))];
        CheckpointSegments segments = new(forward, readBack, wanted);
        Rewrite rewrite = new(forward, before, segments);
        foreach (Node node in differentiated.Graph.Nodes.AsSpan()[forward.Nodes.Length..])
        {
            rewrite.Append(node);
        }
        return new DifferentiatedGraph(rewrite.Builder.Build(differentiated.Graph.Outputs.AsSpan()),
            differentiated.Gradients.ToDictionary(pair => pair.Key, pair => rewrite.Mapped(pair.Value)));
    }

    private sealed class Rewrite(Graph forward, HashSet<Node> before, CheckpointSegments segments)
    {
        private readonly Dictionary<Value, Value> map = [];
        private readonly HashSet<Node> repeated = new(ReferenceEqualityComparer.Instance);
        private readonly Dictionary<Node, int> order = Order(forward);
        private readonly int last = segments.Cuts.Count == 0 ? 0 : segments.Cuts[^1];

        public GraphBuilder Builder { get; } = new(forward);

        public Value Mapped(Value old) => map.GetValueOrDefault(old, old);

        /// <summary>Adds a node of the backward pass, and before it what it reads and is no longer there.</summary>
        public void Append(Node node)
        {
            foreach (Value input in node.Inputs)
            {
                if (IsGivenUp(input))
                {
                    Repeat(input.Node);
                }
            }
            Value[] inputs = [.. node.Inputs.Select(Mapped)];
            Node copy = inputs.AsSpan().SequenceEqual(node.Inputs.AsSpan()) ? Builder.Adopt(node).Node : Builder.Add(node.Name, node.Op, inputs, node.Forward).Node;
            Map(node, copy);
        }

        /// <summary>The last segment is still there when the backward pass begins with it.</summary>
        private bool IsGivenUp(Value value) => before.Contains(value.Node) && order[value.Node] < last && !segments.Holds(value);

        /// <summary>Computes a node again, after those that it needs: without recursion, since a segment may be long.</summary>
        private void Repeat(Node wanted)
        {
            List<Node> missing = [];
            Stack<Node> open = new([wanted]);
            while (open.TryPop(out Node? node))
            {
                if (repeated.Add(node))
                {
                    missing.Add(node);
                    foreach (Value input in node.Inputs.Where(IsGivenUp))
                    {
                        open.Push(input.Node);
                    }
                }
            }
            foreach (Node node in missing.OrderBy(node => order[node]))
            {
                Map(node, Builder.Repeat(node, [.. node.Inputs.Select(Mapped)]));
            }
        }

        private void Map(Node old, Node copy)
        {
            for (int output = 0; output < old.Outputs.Length; output++)
            {
                Value value = new(old, output);
                if (!ReferenceEquals(old, copy) && (!before.Contains(old) || IsGivenUp(value)))
                {
                    map[value] = new Value(copy, output);
                }
            }
        }

        private static Dictionary<Node, int> Order(Graph graph)
        {
            Dictionary<Node, int> order = new(ReferenceEqualityComparer.Instance);
            for (int i = 0; i < graph.Nodes.Length; i++)
            {
                order.Add(graph.Nodes[i], i);
            }
            return order;
        }
    }
}
