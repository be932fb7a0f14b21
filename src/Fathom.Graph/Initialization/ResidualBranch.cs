using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Initialization;

/// <summary>What an add puts on top of a shortcut.</summary>
/// <param name="Add">The add that joins the two.</param>
/// <param name="Input">Which of the add's inputs the branch is; the other is the shortcut.</param>
/// <param name="Nodes">The nodes on the branch alone, in the graph's order, without parameters.</param>
public sealed record ResidualBranch(Node Add, int Input, IReadOnlyList<Node> Nodes)
{
    /// <summary>The dense layers and convolutions on the branch.</summary>
    public IReadOnlyList<Node> WeightLayers { get; } = [.. Nodes.Where(node => Initialization.WeightLayers.WeightOf(node) is not null)];

    /// <summary>
    /// The residual branches of a graph: of each add of two values, the side with more weights, if it has any. The sides
    /// are what the two values do not have in common; a projection on the shortcut is no branch.
    /// </summary>
    public static IReadOnlyList<ResidualBranch> Of(Graph graph)
    {
        Dictionary<Node, int> positions = new(ReferenceEqualityComparer.Instance);
        for (int i = 0; i < graph.Nodes.Length; i++)
        {
            positions[graph.Nodes[i]] = i;
        }
        List<ResidualBranch> branches = [];
        foreach (Node add in graph.Nodes.Where(node => node.Op is Add && node.DataInputs.Count() == 2 && node.Inputs.Length == 2))
        {
            List<Node>[] sides = Sides(add, positions);
            int[] weights = [.. sides.Select(side => side.Count(node => node.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank >= 2)))];
            int branch = weights[0] != weights[1] ? (weights[0] > weights[1] ? 0 : 1) : sides[0].Count >= sides[1].Count ? 0 : 1;
            if (weights[branch] > 0)
            {
                sides[branch].Reverse();
                branches.Add(new ResidualBranch(add, branch, sides[branch]));
            }
        }
        return branches;
    }

    /// <summary>
    /// Walks back from both inputs at once, last nodes first. A node's readers come before it in this order, so that when
    /// its turn comes it is known which sides lead to it; once only common nodes are left, both sides are complete.
    /// </summary>
    private static List<Node>[] Sides(Node add, Dictionary<Node, int> positions)
    {
        List<Node>[] sides = [[], []];
        Dictionary<Node, int> reached = new(ReferenceEqualityComparer.Instance);
        PriorityQueue<Node, int> open = new();
        int exclusive = 0;
        void Reach(Node node, int by)
        {
            int before = reached.GetValueOrDefault(node), after = before | by;
            exclusive += (after is 1 or 2 ? 1 : 0) - (before is 1 or 2 ? 1 : 0);
            reached[node] = after;
            if (before == 0)
            {
                open.Enqueue(node, -positions[node]);
            }
        }
        Reach(add.Inputs[0].Node, 1);
        Reach(add.Inputs[1].Node, 2);
        while (exclusive > 0 && open.TryDequeue(out Node? node, out _))
        {
            int by = reached[node];
            if (by is 1 or 2)
            {
                exclusive--;
                sides[by - 1].Add(node);
            }
            foreach (Value input in node.DataInputs)
            {
                Reach(input.Node, by);
            }
        }
        return sides;
    }
}
