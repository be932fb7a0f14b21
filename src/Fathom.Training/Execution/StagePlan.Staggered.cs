using System.Runtime.InteropServices;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Execution;

/// <content>Chains whose stretches belong to the threads in turn.</content>
internal sealed partial class StagePlan
{
    private readonly StageLanes lanes;

    /// <summary>Stretches of which some parts have not had their turn yet, the oldest first; less of them than threads.</summary>
    private readonly List<Stretch> staggered = [];

    /// <summary>By place: of a node in a staggered chain the thread that runs it, of a parameter the one that reads it; −1 for any.</summary>
    private readonly int[] laneOf;

    /// <summary>By place, the operations of the chain's nodes from there on, up to the next node that the chain has to wait for.</summary>
    private readonly double[] stretchWork;

    /// <summary>By place, the parameter that the next of a chain's nodes reads which reads one; −1 for none.</summary>
    private readonly int[] nextWeights;

    private int lastLane = -1;
    private int chainLane = -1;
    private bool isStaggered;

    /// <summary>The thread that runs a node with all samples; −1 if that may be any.</summary>
    public int LaneOf(int place) => laneOf[producers[place]];

    /// <summary>Looks at the schedule from its end.</summary>
    private (double[] Work, int[] Weights) LookAhead()
    {
        double[] following = new double[schedule.Count + 1];
        int[] weights = new int[schedule.Count + 1];
        bool[] isRead = new bool[schedule.Count];
        weights[^1] = -1;
        for (int place = schedule.Count - 1; place >= 0; place--)
        {
            int parameter = ParameterOf(place);
            // A weight's gradient is what nothing reads; for a mean over the batch the chain waits.
            bool waits = grains[place] == KernelGrain.Large || (grains[place] == KernelGrain.Small && isRead[place]);
            bool chains = grains[place] == KernelGrain.PerSample;
            following[place] = waits ? 0 : following[place + 1] + (chains ? work[place] : 0);
            weights[place] = chains && parameter >= 0 ? parameter : weights[place + 1];
            foreach (int input in schedule.Inputs(place))
            {
                isRead[schedule.WriterOf(input)] = true;
            }
        }
        return (following, weights);
    }

    /// <summary>The largest parameter that a node reads, by its place; −1 for none.</summary>
    private int ParameterOf(int place)
    {
        int found = -1, most = 0;
        foreach (int input in schedule.Inputs(place))
        {
            int elements = schedule.ShapeOf(input).Elements;
            if (elements > most && schedule.Nodes[schedule.WriterOf(input)].Op is Parameter)
            {
                (found, most) = (schedule.WriterOf(input), elements);
            }
        }
        return found;
    }

    /// <summary>Decides, with its first node, how a chain is run.</summary>
    private void BeginChain(int place)
    {
        isStaggered = staggered.Count > 0 || (parts > 1 && stretchWork[place] >= limits.StaggeredChain * parts * limits.ChainWork);
        chainLane = -1;
    }

    /// <summary>
    /// Whether a stretch ends with the node that was added last: it has work enough, or what comes next reads weights that another
    /// thread has read in this step, and keeps.
    /// </summary>
    private bool EndsStretch(int place)
    {
        int parameter = ParameterOf(place);
        if (parameter >= 0 && chainLane < 0)
        {
            chainLane = laneOf[parameter];
        }
        if (chainLane < 0)
        {
            return chainWork >= parts * limits.ChainWork;
        }
        int next = place + 1 < schedule.Count ? nextWeights[place + 1] : -1;
        return chainWork >= 2 * parts * limits.ChainWork || (parameter >= 0 && next >= 0 && laneOf[next] >= 0 && laneOf[next] != chainLane);
    }

    /// <summary>Makes a stage of one part of each stretch in hand, and of what waits for no later one, by threads.</summary>
    private void CutStaggered()
    {
        int stage = stages.Count, first = tasks.Count - 1;
        if (chain.Count > 0)
        {
            staggered.Add(new Stretch([.. chain], TakeLane()));
            chain.Clear();
            chainWork = 0;
        }
        lanes.Clear();
        foreach (Stretch stretch in staggered)
        {
            foreach (int place in stretch.Places)
            {
                lanes.Add(stretch.Lane, new StageCall(place, stretch.NextPart, parts, Runs: true, Measures: false));
            }
            lanes.EndTask(stretch.Lane);
            stretch.NextPart++;
        }
        staggered.RemoveAll(stretch => stretch.NextPart == parts);
        Spread(stage, running: true);
        Spread(stage, running: false);
        Bundle(stage, running: true, limits.TaskWork, lanes);
        lanes.MoveTo(calls, tasks);
        int running = tasks.Count - 1 - first;
        Bundle(stage, running: false, limits.MeasuredElements, lanes);
        lanes.MoveTo(calls, tasks);
        waiting.RemoveAll(call => call.Ready <= stage);
        stages.Add(new Stage(first, tasks.Count - 1 - first, running, TakesAllThreads: false));
    }

    /// <summary>The thread of a stretch: the one that knows its weights, or the next one; one that has no other stretch in hand.</summary>
    private int TakeLane()
    {
        int lane = chainLane >= 0 && IsFree(chainLane) ? chainLane : (lastLane + 1) % threads;
        while (!IsFree(lane))
        {
            lane = (lane + 1) % threads;
        }
        foreach (int place in chain)
        {
            laneOf[place] = lane;
            foreach (int input in schedule.Inputs(place))
            {
                int writer = schedule.WriterOf(input);
                if (schedule.Nodes[writer].Op is Parameter && laneOf[writer] < 0)
                {
                    laneOf[writer] = lane;
                }
            }
        }
        return lastLane = lane;
    }

    private bool IsFree(int lane)
    {
        foreach (Stretch stretch in staggered)
        {
            if (stretch.Lane == lane)
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>
    /// What has been computed of a stretch gives its thread work at once, and then nothing until its next stretch: it is spread over
    /// the stages until then, so that threads do not wait for each other.
    /// </summary>
    private void Spread(int stage, bool running)
    {
        if (staggered.Count == 0)
        {
            return; // nothing is going to come
        }
        for (int lane = 0; lane < threads; lane++)
        {
            double sum = 0, before = 0;
            foreach (ref readonly Waiting call in CollectionsMarshal.AsSpan(waiting))
            {
                sum += IsNew(in call, lane, stage, running) ? call.Size : 0;
            }
            foreach (ref Waiting call in CollectionsMarshal.AsSpan(waiting))
            {
                if (IsNew(in call, lane, stage, running))
                {
                    double middle = before + call.Size / 2;
                    before += call.Size;
                    call = call with { Ready = stage + Math.Min(parts - 1, (int)(parts * middle / sum)), IsSpread = true };
                }
            }
        }
    }

    private bool IsNew(in Waiting call, int lane, int stage, bool running) =>
        call.Ready <= stage && !call.IsSpread && call.Call.Runs == running && LaneOf(call.Call) == lane;

    /// <summary>The thread that has what a call reads in its cache; −1 for any.</summary>
    private int LaneOf(StageCall call)
    {
        if (!call.Runs)
        {
            return LaneOf(call.Kernel);
        }
        foreach (int input in schedule.Inputs(call.Kernel))
        {
            int writer = producers[schedule.WriterOf(input)];
            if (laneOf[writer] >= 0 && grains[writer] != KernelGrain.Source)
            {
                return laneOf[writer];
            }
        }
        return -1;
    }

    /// <summary>Joins calls that wait no longer into tasks of the threads that have what they read.</summary>
    private void Bundle(int stage, bool running, double least, StageLanes to)
    {
        foreach (ref readonly Waiting call in CollectionsMarshal.AsSpan(waiting))
        {
            if (call.Ready > stage || call.Call.Runs != running)
            {
                continue;
            }
            Place(in call, stage);
            int lane = LaneOf(call.Call);
            to.Add(lane >= 0 ? lane : to.Shortest, call.Call, call.Size, least);
        }
        to.EndTasks();
    }

    /// <summary>A stretch of a chain, and which of its parts has its turn next.</summary>
    private sealed class Stretch(int[] places, int lane)
    {
        public int[] Places { get; } = places;

        public int Lane { get; } = lane;

        public int NextPart { get; set; }
    }
}
