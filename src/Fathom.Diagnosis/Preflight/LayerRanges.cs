using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Preflight;

/// <summary>Two values of a network, everything between which passes from the first to the second.</summary>
public sealed record LayerRange(Value From, Value To);

/// <summary>
/// Where a network can be cut so that all that reaches the output passes through one value: every layer of a chain, the sum at
/// the end of a residual block. Only between such values is the Jacobian that of the network, and only there do Jacobians
/// multiply along the depth.
/// </summary>
public static class LayerRanges
{
    /// <summary>The whole depth, from the first layer to the last, and below it at most so many parts of it.</summary>
    /// <param name="network">The network.</param>
    /// <param name="parts">Parts into which the depth is cut, 1 or more.</param>
    /// <returns>The whole first; empty if there are not two places to cut.</returns>
    public static ImmutableArray<LayerRange> Of(Graph network, int parts = 8)
    {
        Value[] cuts = Cuts(network);
        if (cuts.Length < 2)
        {
            return [];
        }
        int count = Math.Min(parts, cuts.Length - 1);
        List<LayerRange> ranges = [new LayerRange(cuts[0], cuts[^1])];
        for (int i = 0; i < count && count > 1; i++)
        {
            ranges.Add(new LayerRange(cuts[At(i)], cuts[At(i + 1)]));
        }
        return [.. ranges];

        int At(int part) => (int)Math.Round((double)part * (cuts.Length - 1) / count);
    }

    /// <summary>One value for each depth at which the network can be cut: the layer with weights itself, or the last value before the next one.</summary>
    public static Value[] Cuts(Graph network)
    {
        Dictionary<Node, int> depths = ProbeTable.Depths(network);
        Dictionary<int, Value> cuts = [];
        foreach (Value cut in Separators(network))
        {
            int depth = depths[cut.Node];
            bool weighted = cut.Node.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank >= 2);
            if (depth > 0 && (weighted || !cuts.TryGetValue(depth, out Value other) || !other.Node.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank >= 2)))
            {
                cuts[depth] = cut;
            }
        }
        return [.. cuts.OrderBy(pair => pair.Key).Select(pair => pair.Value)];
    }

    /// <summary>Values after which nothing computed before is read any more.</summary>
    private static IEnumerable<Value> Separators(Graph network)
    {
        Node[] nodes = [.. NeededNodes.For(network, [network.Output]).Where(node => node.Op is not (Parameter or Constant))];
        Dictionary<Value, int> lastRead = [];
        for (int i = 0; i < nodes.Length; i++)
        {
            foreach (Value input in nodes[i].Inputs)
            {
                lastRead[input] = i;
            }
        }
        lastRead[network.Output] = nodes.Length;
        int live = 0;
        List<int>[] ends = [.. Enumerable.Range(0, nodes.Length + 1).Select(_ => new List<int>())];
        for (int i = 0; i < nodes.Length; i++)
        {
            live -= ends[i].Count;
            for (int output = 0; output < nodes[i].Outputs.Length; output++)
            {
                if (lastRead.TryGetValue(new Value(nodes[i], output), out int end))
                {
                    live++;
                    ends[end].Add(output);
                }
            }
            Value value = nodes[i].Outputs.Length == 1 ? nodes[i].Output : Enumerable.Range(0, nodes[i].Outputs.Length).Select(output => new Value(nodes[i], output)).FirstOrDefault(lastRead.ContainsKey, nodes[i].Output);
            if (live == 1 && lastRead.ContainsKey(value) && value.Type.Kind == ElementKind.Real && value.Shape.HasBatch && nodes[i].Op is not Input)
            {
                yield return value;
            }
        }
    }
}
