using System.Text;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Scaling;

/// <summary>
/// The stretch of a network that consists of one block over and over: between two places through which everything passes,
/// with the same layers, and with one shape going in and coming out.
/// </summary>
public sealed class DepthScaling
{
    /// <summary>Places that everything passes through within one block, at most.</summary>
    private const int LongestPeriod = 64;

    private readonly Graph graph;
    private readonly List<Node[]> blocks;

    private DepthScaling(Graph graph, List<Node[]> blocks, int hidden)
    {
        (this.graph, this.blocks, HiddenLayers) = (graph, blocks, hidden);
        LayersPerBlock = blocks[0].Count(IsWeighted);
    }

    /// <summary>How often the block stands in the network.</summary>
    public int Blocks => blocks.Count;

    /// <summary>Layers with weights in one block.</summary>
    public int LayersPerBlock { get; }

    /// <summary>Layers with weights in the network, but for the last.</summary>
    public int HiddenLayers { get; }

    /// <summary>The first and the last node of the first block.</summary>
    public string Description => $"{blocks[0].First(IsWeighted).Name} to {blocks[0][^1].Name}, {Blocks} times";

    /// <summary>Finds the block of a network.</summary>
    /// <exception cref="TrainingException">No stretch of it can be repeated.</exception>
    public static DepthScaling Of(Graph graph)
    {
        List<Segment> segments = Segments(graph);
        (int Start, int Period, int Count) best = default;
        int all = segments.Sum(segment => segment.Layers);
        for (int period = 1; period <= Math.Min(segments.Count, LongestPeriod); period++)
        {
            for (int start = 0; start + period <= segments.Count; start++)
            {
                int count = Repeats(segments, start, period);
                int layers = segments.Skip(start).Take(period).Sum(segment => segment.Layers);
                // The most layers, and of as many the shortest block.
                if (count > 0 && layers > 0 && count * layers > best.Count * segments.Skip(best.Start).Take(best.Period).Sum(segment => segment.Layers))
                {
                    best = (start, period, count);
                }
            }
            if (best.Count > 1 && 2 * best.Count * segments.Skip(best.Start).Take(best.Period).Sum(segment => segment.Layers) >= all)
            {
                break; // a block of several such blocks is no better
            }
        }
        if (best.Count == 0)
        {
            throw new TrainingException("the network has no block of hidden layers that could be repeated: one with a single input and output of the same shape, such as dense 64 after dense 64");
        }
        List<Node[]> blocks = [.. Enumerable.Range(0, best.Count).Select(block => segments.Skip(best.Start + block * best.Period).Take(best.Period).SelectMany(segment => segment.Nodes).ToArray())];
        return new DepthScaling(graph, blocks, Math.Max(0, graph.Nodes.Count(IsWeighted) - 1));
    }

    /// <summary>The network with another number of blocks.</summary>
    /// <param name="count">1 or more.</param>
    public Graph WithBlocks(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Dictionary<Node, Value> removed = new(ReferenceEqualityComparer.Instance);
        for (int block = count; block < Blocks; block++)
        {
            foreach (Node node in blocks[block])
            {
                removed[node] = blocks[count - 1][^1].Output;
            }
        }
        Node last = blocks[^1][^1];
        return GraphRewriter.Rewrite(graph, (rewriter, node) =>
        {
            if (removed.TryGetValue(node, out Value instead))
            {
                return rewriter.Mapped(instead);
            }
            if (node != last || count <= Blocks)
            {
                return null;
            }
            Value at = rewriter.Copy(node);
            for (int more = Blocks; more < count; more++)
            {
                at = Append(rewriter, at);
            }
            return at;
        });
    }

    /// <summary>The number of blocks with which the hidden layers come nearest to a number; at least 1.</summary>
    public int BlocksFor(double hiddenLayers) => Math.Max(1, (int)Math.Round((hiddenLayers - (HiddenLayers - Blocks * LayersPerBlock)) / LayersPerBlock));

    /// <summary>Hidden layers of the network with a number of blocks.</summary>
    public int LayersWith(int count) => HiddenLayers + (count - Blocks) * LayersPerBlock;

    /// <summary>One more copy of the last block, with parameters of its own.</summary>
    private Value Append(GraphRewriter rewriter, Value start)
    {
        Node[] block = blocks[^1];
        HashSet<Node> inside = new(block, ReferenceEqualityComparer.Instance);
        Dictionary<Value, Value> copies = [];
        Value result = start;
        foreach (Node node in block)
        {
            Value[] inputs = [.. node.DataInputs.Select(input => !inside.Contains(input.Node) ? start : copies[input])];
            result = rewriter.Copy(node, inputs: inputs, name: rewriter.Builder.FreeName(node.Name));
            for (int output = 0; output < node.Outputs.Length; output++)
            {
                copies[new Value(node, output)] = new Value(result.Node, output);
            }
        }
        return result;
    }

    private static bool IsWeighted(Node node) => node.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank >= 2 && ((Parameter)parameter.Op).Trainable);

    /// <summary>How many blocks of a period follow each other from a start; 0 if one has another shape at its end than at its beginning.</summary>
    private static int Repeats(List<Segment> segments, int start, int period)
    {
        if (!segments[start].Input.Equals(segments[start + period - 1].Nodes[^1].Outputs[0]))
        {
            return 0;
        }
        int count = 1;
        while (start + (count + 1) * period <= segments.Count && Enumerable.Range(start, period).All(i => segments[i].Signature == segments[i + count * period].Signature))
        {
            count++;
        }
        return count;
    }

    /// <summary>The nodes between neighbouring places through which everything passes.</summary>
    private static List<Segment> Segments(Graph graph)
    {
        Node[] nodes = [.. graph.Nodes.Where(node => node.Op is not Parameter)];
        Dictionary<Node, int> lastRead = new(ReferenceEqualityComparer.Instance);
        HashSet<Node> beyond = new(ReferenceEqualityComparer.Instance); // read by an output other than the first, so that they cannot be passed
        for (int i = 0; i < nodes.Length; i++)
        {
            foreach (Value input in nodes[i].DataInputs)
            {
                lastRead[input.Node] = i;
                if (input.Index > 0)
                {
                    beyond.Add(input.Node);
                }
            }
        }
        List<Segment> segments = [];
        Dictionary<Op, int> ops = [];
        Dictionary<string, int> signatures = [];
        int from = 1, open = -1;
        for (int i = 0; i < nodes.Length; i++)
        {
            // Everything passes through node i if nothing before it is read after it.
            bool isCut = open <= i && !beyond.Contains(nodes[i]) && nodes[i].Op is not (Constant or ConstantVector);
            open = Math.Max(open, lastRead.GetValueOrDefault(nodes[i], -1));
            if (isCut && i >= from)
            {
                segments.Add(Segment.Of(nodes[from..(i + 1)], nodes[from - 1], ops, signatures));
            }
            from = isCut ? i + 1 : from;
        }
        return segments;
    }

    /// <summary>A stretch between two such places.</summary>
    /// <param name="Nodes">Its nodes, the last of which makes its output.</param>
    /// <param name="Input">Type of what goes in.</param>
    /// <param name="Signature">Equal for stretches that do the same with parameters that start alike.</param>
    /// <param name="Layers">Layers with weights.</param>
    private sealed record Segment(Node[] Nodes, TensorType Input, int Signature, int Layers)
    {
        public static Segment Of(Node[] nodes, Node before, Dictionary<Op, int> ops, Dictionary<string, int> signatures)
        {
            StringBuilder signature = new();
            foreach (Node node in nodes)
            {
                signature.Append(node.Op.Kind).Append(Number(ops, node.Op)).Append('(');
                foreach (Value input in node.Inputs)
                {
                    int inside = Array.IndexOf(nodes, input.Node);
                    signature.Append(inside >= 0 ? $"{inside}:{input.Index}" : input.Node.Op is Parameter parameter ? $"{parameter.Shape} {Number(ops, parameter)}" : "in").Append(',');
                }
                signature.Append(')');
            }
            return new Segment(nodes, before.Outputs[0], Number(signatures, signature.ToString()), nodes.Count(IsWeighted));
        }

        /// <summary>Equal keys have one number.</summary>
        private static int Number<TKey>(Dictionary<TKey, int> numbers, TKey key) where TKey : notnull
        {
            numbers.TryAdd(key, numbers.Count);
            return numbers[key];
        }
    }
}
