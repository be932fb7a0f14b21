using System.Diagnostics.CodeAnalysis;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Execution;

/// <summary>
/// Outputs that take over the memory of an input. An elementwise kernel may write where it reads if it is the last one that
/// wants the input, so a ReLU and its gradient need no memory of their own, and a line of cache is written that is there
/// already, instead of one that has to be fetched to be overwritten.
/// </summary>
internal sealed class InPlaceOutputs
{
    private readonly Dictionary<Value, Value> memory = [];
    private readonly Dictionary<Value, int> lastRead;
    private readonly Dictionary<Value, int> lastReaders = [];
    private readonly int batch;

    /// <param name="schedule">The nodes in an order in which they can run.</param>
    /// <param name="batch">Samples per batch.</param>
    /// <param name="turnOf">When the node at a place of the schedule runs; what has the same turn runs at the same time, or in any order.</param>
    /// <param name="measuredIn">When its outputs are measured, if that is not when it runs; −1 if it is.</param>
    /// <param name="lastRead">The last turn in which each value is read.</param>
    /// <param name="isFree">Whether a value's memory is the arena's, and nobody wants it after the run.</param>
    /// <param name="hasPlace">Whether a value's memory is the arena's.</param>
    public InPlaceOutputs(IReadOnlyList<Node> schedule, int batch, Func<int, int> turnOf, Func<int, int> measuredIn,
        Dictionary<Value, int> lastRead, Func<Value, bool> isFree, Func<Value, bool> hasPlace)
    {
        (this.lastRead, this.batch) = (lastRead, batch);
        Dictionary<Node, int> measured = new(ReferenceEqualityComparer.Instance);
        for (int place = 0; place < schedule.Count; place++)
        {
            measured.Add(schedule[place], measuredIn(place));
            CountReaders(schedule[place], turnOf(place), measuredIn(place));
        }
        foreach (int place in Enumerable.Range(0, schedule.Count).Where(place => schedule[place].Op is not Source).OrderBy(turnOf))
        {
            Node node = schedule[place];
            Value output = new(node, 0);
            if (!node.Op.IsView && hasPlace(output) && TryFind(node, turnOf(place), measured, isFree, out Value input))
            {
                memory.Add(output, MemoryOf(input));
            }
        }
    }

    /// <summary>The value whose memory this one has: its own, or the input's that was there first.</summary>
    public Value MemoryOf(Value value) => memory.GetValueOrDefault(value, value);

    /// <summary>Whether the value lies where an input did.</summary>
    public bool Contains(Value value) => memory.ContainsKey(value);

    private void CountReaders(Node node, int turn, int measured)
    {
        if (node.Op.IsView)
        {
            turn = measured; // nothing runs
        }
        foreach (Value input in node.Inputs)
        {
            Value seen = Seen(input);
            if (lastRead.GetValueOrDefault(seen, -1) == turn)
            {
                lastReaders[seen] = lastReaders.GetValueOrDefault(seen) + 1;
            }
        }
    }

    private bool TryFind(Node node, int turn, Dictionary<Node, int> measured, Func<Value, bool> isFree, [NotNullWhen(true)] out Value found)
    {
        for (int k = 0; k < node.Inputs.Length; k++)
        {
            Value input = node.Inputs[k];
            bool dies = lastRead.GetValueOrDefault(input, -1) == turn && lastReaders.GetValueOrDefault(input) == 1;
            if (dies && node.Op.MayOverwrite(k) && input.Type.Kind == ElementKind.Real && isFree(input) && measured[input.Node] < turn
                && input.Shape.Elements(batch) == node.Outputs[0].Shape.Elements(batch))
            {
                found = input;
                return true;
            }
        }
        found = default;
        return false;
    }

    /// <summary>What a view looks at.</summary>
    private static Value Seen(Value value)
    {
        while (value.Node.Op.IsView && value.Index == 0)
        {
            value = value.Node.Inputs[0];
        }
        return value;
    }
}
