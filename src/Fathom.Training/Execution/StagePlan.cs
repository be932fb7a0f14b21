using System.Runtime.InteropServices;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Execution;

/// <summary>
/// Decides what several threads do at the same time. Small kernels that follow each other and go sample by sample form a
/// chain, which each thread runs for samples of its own, without waiting for the others in between. What is beside the
/// chain (gradients of weights, statistics) waits until the chain is cut, and is then done in single pieces, next to the
/// chain's next stretch. A large kernel takes all threads for itself. Nothing of this changes a result: an element's
/// arithmetic does not depend on the other samples, and nothing is added up across tasks.
/// </summary>
/// <remarks>
/// A long chain is staggered: its stretches belong to the threads in turn, and a thread does all parts of a stretch that is
/// its own, one part in each stage, while the next thread follows a stretch behind (a pipeline over the layers, as in Narayanan
/// et al. 2021, but with the samples of one step, so that nothing waits for another step). The weights of a layer are then read,
/// their gradient computed and their update made by one thread only, whose cache keeps them, where samples shared out among
/// threads make each thread fetch what another has just written: between processors that do not share a last-level cache
/// that takes as long as the arithmetic. Only where a stretch ends do activations go from one thread to the next.
/// </remarks>
internal sealed partial class StagePlan
{
    /// <summary>The stage of a node that has none yet.</summary>
    private const int Open = int.MaxValue;

    private readonly NodeSchedule schedule;
    private readonly bool[] watched;
    private readonly int[] stageOf;
    private readonly int[] measuredIn;
    private readonly int[] producers;
    private readonly double[] work;
    private readonly StageLimits limits;
    private readonly int parts;
    private readonly List<Stage> stages;
    private readonly List<int> tasks;
    private readonly List<StageCall> calls;
    private readonly List<int> chain = [];
    private readonly List<Waiting> waiting = [];
    private readonly KernelGrain[] grains;
    private readonly int[] endOf;
    private readonly int threads;
    private double chainWork;

    /// <param name="schedule">The nodes in an order in which they can run.</param>
    /// <param name="threads">Threads; with one, every kernel is a stage.</param>
    /// <param name="watched">By number, whether a value is to be measured.</param>
    /// <param name="limits">What is worth handing over.</param>
    public StagePlan(NodeSchedule schedule, int threads, bool[] watched, StageLimits limits)
    {
        (this.schedule, this.watched, this.limits, this.threads) = (schedule, watched, limits, threads);
        parts = Math.Clamp(schedule.Batch / limits.PartSamples, 1, threads);
        stageOf = new int[schedule.Count];
        endOf = new int[schedule.Count];
        measuredIn = new int[schedule.Count];
        grains = new KernelGrain[schedule.Count];
        producers = new int[schedule.Count];
        work = new double[schedule.Count];
        stages = new List<Stage>(threads > 1 ? schedule.Count / 4 : schedule.Count);
        tasks = new List<int>(schedule.Count) { 0 };
        calls = new List<StageCall>(threads > 1 ? 2 * schedule.Count : schedule.Count);
        Array.Fill(measuredIn, -1);
        for (int place = 0; place < schedule.Count; place++)
        {
            grains[place] = threads > 1 || schedule.Nodes[place].Op is Parameter or Input ? GrainOf(place) : KernelGrain.Large;
        }
        lanes = new StageLanes(threads);
        laneOf = new int[schedule.Count];
        Array.Fill(laneOf, -1);
        (stretchWork, nextWeights) = LookAhead();
        for (int place = 0; place < schedule.Count; place++)
        {
            producers[place] = grains[place] == KernelGrain.View ? producers[schedule.WriterOf(schedule.Inputs(place)[0])] : place;
            Visit(place, grains[place]);
        }
        while (chain.Count > 0 || waiting.Count > 0 || staggered.Count > 0)
        {
            Cut();
        }
    }

    public IReadOnlyList<Stage> Stages => stages;

    /// <summary>The calls of all tasks, stage by stage.</summary>
    public IReadOnlyList<StageCall> Calls => calls;

    /// <summary>Where the calls of each task begin, and at the end how many calls there are.</summary>
    public IReadOnlyList<int> Tasks => tasks;

    /// <summary>The stage in which the node at a place of the schedule runs, or its first part; −1 if it is there from the start.</summary>
    public int StageOf(int place) => stageOf[producers[place]];

    /// <summary>The stage in which its last part runs.</summary>
    public int EndOf(int place) => endOf[producers[place]];

    /// <summary>The stage in which a node's outputs are measured; −1 if that is when it runs, or never.</summary>
    public int MeasuredIn(int place) => measuredIn[place];

    private KernelGrain GrainOf(int place)
    {
        Op op = schedule.Nodes[place].Op;
        if (op is Parameter or Input)
        {
            return KernelGrain.Source;
        }
        if (op.IsView && schedule.Outputs(place) == 1)
        {
            return KernelGrain.View;
        }
        ReadOnlySpan<int[]> inputs = schedule.InputShapes(place), outputs = schedule.OutputShapes(place);
        work[place] = op.Work(inputs, outputs);
        if (work[place] > limits.KernelWork || op.ScratchElements(inputs, outputs) != 0 || !HasSmallOutputs(place))
        {
            return KernelGrain.Large;
        }
        return op.IsPerSample && GoesBySample(place) ? KernelGrain.PerSample : KernelGrain.Small;
    }

    private bool HasSmallOutputs(int place)
    {
        for (int output = 0; output < schedule.Outputs(place); output++)
        {
            if (schedule.ShapeOf(schedule.FirstOutput(place) + output).Elements > limits.KernelElements)
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>True if each sample is one stretch of every tensor that has samples.</summary>
    private bool GoesBySample(int place)
    {
        for (int output = 0; output < schedule.Outputs(place); output++)
        {
            if (!schedule.ShapeOf(schedule.FirstOutput(place) + output).IsBySample)
            {
                return false;
            }
        }
        foreach (int input in schedule.Inputs(place))
        {
            BoundShape shape = schedule.ShapeOf(input);
            if (shape.HasBatch && !shape.IsBySample)
            {
                return false;
            }
        }
        return true;
    }

    private void Visit(int place, KernelGrain grain)
    {
        if (grain == KernelGrain.Source)
        {
            stageOf[place] = endOf[place] = -1;
            return;
        }
        bool measured = IsWatched(place);
        if (grain == KernelGrain.View && !measured)
        {
            return;
        }
        int ready = FirstStage(place);
        switch (grain)
        {
            case KernelGrain.View:
                WaitForMeasuring(place, ready);
                break;
            case KernelGrain.PerSample:
                AddToChain(place, measured);
                break;
            case KernelGrain.Small:
                stageOf[place] = Open;
                waiting.Add(new Waiting(new StageCall(place, 0, 1, Runs: true, Measures: true), ready, work[place]));
                break;
            default:
                TakeAllThreads(place);
                break;
        }
    }

    /// <summary>The first stage that finds all inputs of a node computed.</summary>
    private int FirstStage(int place)
    {
        int first = 0;
        foreach (int input in schedule.Inputs(place))
        {
            int producer = producers[schedule.WriterOf(input)];
            while (stageOf[producer] == Open)
            {
                Cut();
            }
            first = Math.Max(first, endOf[producer] + 1);
        }
        return first;
    }

    private void AddToChain(int place, bool measured)
    {
        if (chain.Count == 0)
        {
            BeginChain(place);
        }
        stageOf[place] = stages.Count;
        endOf[place] = stages.Count + (isStaggered ? parts - 1 : 0);
        chain.Add(place);
        chainWork += work[place];
        if (measured)
        {
            WaitForMeasuring(place, endOf[place] + 1);
        }
        if (isStaggered ? EndsStretch(place) : chainWork >= parts * limits.ChainWork)
        {
            Cut();
        }
    }

    private void WaitForMeasuring(int place, int ready)
    {
        double elements = 0;
        for (int output = 0; output < schedule.Outputs(place); output++)
        {
            elements += schedule.ShapeOf(schedule.FirstOutput(place) + output).Elements;
        }
        waiting.Add(new Waiting(new StageCall(place, 0, 1, Runs: false, Measures: true), ready, elements));
    }

    private void TakeAllThreads(int place)
    {
        if (chain.Count > 0 || IsOverdue())
        {
            Cut();
        }
        while (staggered.Count > 0)
        {
            Cut();
        }
        stageOf[place] = endOf[place] = stages.Count;
        calls.Add(new StageCall(place, 0, 1, Runs: true, Measures: true));
        stages.Add(new Stage(tasks.Count - 1, 1, 1, TakesAllThreads: true));
        tasks.Add(calls.Count);
    }

    private bool IsOverdue()
    {
        foreach (ref readonly Waiting call in CollectionsMarshal.AsSpan(waiting))
        {
            if (stages.Count - call.Ready >= limits.Lag)
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Ends the chain, and makes a stage of it and of what waits for no later one.</summary>
    private void Cut()
    {
        if (staggered.Count > 0 || (chain.Count > 0 && isStaggered))
        {
            CutStaggered();
            return;
        }
        int stage = stages.Count, first = tasks.Count - 1;
        for (int part = 0; part < parts && chain.Count > 0; part++)
        {
            foreach (int place in chain)
            {
                calls.Add(new StageCall(place, part, parts, Runs: true, Measures: false));
            }
            tasks.Add(calls.Count);
        }
        Bundle(stage, running: true, limits.TaskWork);
        int running = tasks.Count - 1 - first;
        Bundle(stage, running: false, limits.MeasuredElements);
        waiting.RemoveAll(call => call.Ready <= stage);
        int count = tasks.Count - 1 - first;
        bool alone = chain.Count == 0 && count == 1 && tasks[first + 1] - tasks[first] == 1 && calls[tasks[first]].Runs;
        stages.Add(new Stage(first, count, running, alone));
        chain.Clear();
        chainWork = 0;
    }

    /// <summary>Joins calls that wait no longer into tasks that are worth being handed out.</summary>
    private void Bundle(int stage, bool running, double least)
    {
        double size = 0;
        foreach (ref readonly Waiting call in CollectionsMarshal.AsSpan(waiting))
        {
            if (call.Ready > stage || call.Call.Runs != running)
            {
                continue;
            }
            Place(in call, stage);
            calls.Add(call.Call);
            size += call.Size;
            if (size >= least)
            {
                tasks.Add(calls.Count);
                size = 0;
            }
        }
        if (calls.Count > tasks[^1])
        {
            tasks.Add(calls.Count);
        }
    }

    private void Place(in Waiting call, int stage)
    {
        if (call.Call.Runs)
        {
            stageOf[call.Call.Kernel] = endOf[call.Call.Kernel] = stage;
        }
        else
        {
            measuredIn[call.Call.Kernel] = stage;
        }
    }

    private bool IsWatched(int place) =>
        watched.AsSpan(schedule.FirstOutput(place), schedule.Outputs(place)).Contains(true);

    /// <summary>A call that has its turn in some stage from one on, and what it takes: operations, or elements to measure.</summary>
    private readonly record struct Waiting(StageCall Call, int Ready, double Size)
    {
        /// <summary>Whether its turn has been put off as far as it should be.</summary>
        public bool IsSpread { get; init; }
    }
}
