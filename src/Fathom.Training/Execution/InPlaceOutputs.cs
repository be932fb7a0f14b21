using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Execution;

/// <summary>
/// Outputs that take over the memory of an input. An elementwise kernel may write where it reads if it is the last one that
/// wants the input, so a ReLU and its gradient need no memory of their own, and a line of cache is written that is there
/// already, instead of one that has to be fetched to be overwritten. Values go by their number in the schedule.
/// </summary>
internal sealed class InPlaceOutputs
{
    private readonly NodeSchedule schedule;
    private readonly int[] memory;
    private readonly int[] lastRead;
    private readonly int[] readBefore;
    private readonly int[] measured;
    private readonly bool[] isFree;

    /// <param name="schedule">The nodes in an order in which they can run.</param>
    /// <param name="turns">By place, when a node runs; what has the same turn runs at the same time, or in any order.</param>
    /// <param name="ends">By place, when the last of its parts runs, if they run one after the other.</param>
    /// <param name="measured">By place, when a node's outputs are measured, if that is not when it runs; −1 if it is.</param>
    /// <param name="lastRead">By number, the last turn in which a value is read; −1 for none.</param>
    /// <param name="isFree">By number, whether a value's memory is the arena's, and nobody wants it after the run.</param>
    /// <param name="hasPlace">By number, whether a value's memory is the arena's.</param>
    public InPlaceOutputs(NodeSchedule schedule, int[] turns, int[] ends, int[] measured, int[] lastRead, bool[] isFree, bool[] hasPlace)
    {
        (this.schedule, this.lastRead, this.measured, this.isFree) = (schedule, lastRead, measured, isFree);
        readBefore = new int[schedule.Values];
        Array.Fill(readBefore, -1);
        bool[] found = new bool[schedule.Values];
        memory = new int[schedule.Values];
        for (int number = 0; number < memory.Length; number++)
        {
            memory[number] = number;
        }
        for (int place = 0; place < schedule.Count; place++)
        {
            // A view is read when it is measured: nothing runs.
            CountReaders(place, schedule.Nodes[place].Op.IsView ? measured[place] : ends[place], found);
        }
        foreach (int place in NodeSchedule.ByTurn(turns))
        {
            Op op = schedule.Nodes[place].Op;
            int output = schedule.FirstOutput(place);
            if (op is not Source && !op.IsView && hasPlace[output] && Find(place, turns[place], ends[place]) is >= 0 and int input)
            {
                memory[output] = memory[input];
            }
        }
    }

    /// <summary>The value whose memory this one has: its own, or the input's that was there first.</summary>
    public int MemoryOf(int number) => memory[number];

    /// <summary>Whether the value lies where an input did.</summary>
    public bool Contains(int number) => memory[number] != number;

    /// <summary>When a value is read for the last time but one; by two at once, that is when it is read for the last time.</summary>
    private void CountReaders(int place, int turn, bool[] found)
    {
        foreach (int input in schedule.Inputs(place))
        {
            int seen = Seen(input);
            if (lastRead[seen] == turn && !found[seen])
            {
                found[seen] = true;
            }
            else
            {
                readBefore[seen] = Math.Max(readBefore[seen], turn);
            }
        }
    }

    /// <summary>The input that the first output may take over; −1 for none.</summary>
    private int Find(int place, int turn, int end)
    {
        ReadOnlySpan<int> inputs = schedule.Inputs(place);
        int elements = schedule.ShapeOf(schedule.FirstOutput(place)).Elements;
        for (int k = 0; k < inputs.Length; k++)
        {
            int input = inputs[k];
            bool dies = lastRead[input] == end && readBefore[input] < turn;
            if (dies && isFree[input] && schedule.Nodes[place].Op.MayOverwrite(k) && schedule.KindOf(input) == ElementKind.Real
                && measured[schedule.WriterOf(input)] < turn && schedule.ShapeOf(input).Elements == elements)
            {
                return input;
            }
        }
        return -1;
    }

    /// <summary>What a view looks at.</summary>
    private int Seen(int number)
    {
        while (schedule.IsView(number))
        {
            number = schedule.Inputs(schedule.WriterOf(number))[0];
        }
        return number;
    }
}
