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
internal sealed class StagePlan
{
    /// <summary>The stage of a node that has none yet.</summary>
    private const int Open = int.MaxValue;

    private readonly IReadOnlyList<Node> schedule;
    private readonly Dictionary<Node, int> places = new(ReferenceEqualityComparer.Instance);
    private readonly IReadOnlySet<Value> watched;
    private readonly int[] stageOf;
    private readonly int[] measuredIn;
    private readonly int[] producers;
    private readonly double[] work;
    private readonly StageLimits limits;
    private readonly int batch;
    private readonly int parts;
    private readonly List<Stage> stages = [];
    private readonly List<int> chain = [];
    private readonly List<Waiting> waiting = [];
    private double chainWork;

    /// <param name="schedule">The nodes in an order in which they can run.</param>
    /// <param name="batch">Samples per batch.</param>
    /// <param name="threads">Threads; with one, every kernel is a stage.</param>
    /// <param name="watched">Values to measure.</param>
    /// <param name="limits">What is worth handing over.</param>
    public StagePlan(IReadOnlyList<Node> schedule, int batch, int threads, IReadOnlySet<Value> watched, StageLimits limits)
    {
        (this.schedule, this.batch, this.watched, this.limits) = (schedule, batch, watched, limits);
        parts = Math.Clamp(batch / limits.PartSamples, 1, threads);
        stageOf = new int[schedule.Count];
        measuredIn = new int[schedule.Count];
        producers = new int[schedule.Count];
        work = new double[schedule.Count];
        Array.Fill(measuredIn, -1);
        for (int place = 0; place < schedule.Count; place++)
        {
            places.Add(schedule[place], place);
            KernelGrain grain = threads > 1 || schedule[place].Op is Parameter or Input ? GrainOf(place) : KernelGrain.Large;
            producers[place] = grain == KernelGrain.View ? producers[places[schedule[place].Inputs[0].Node]] : place;
            Visit(place, grain);
        }
        while (chain.Count > 0 || waiting.Count > 0)
        {
            Cut();
        }
    }

    public IReadOnlyList<Stage> Stages => stages;

    /// <summary>The stage in which the node at a place of the schedule runs; −1 if it is there from the start.</summary>
    public int StageOf(int place) => stageOf[producers[place]];

    /// <summary>The stage in which a node's outputs are measured; −1 if that is when it runs, or never.</summary>
    public int MeasuredIn(int place) => measuredIn[place];

    private KernelGrain GrainOf(int place)
    {
        Node node = schedule[place];
        if (node.Op is Parameter or Input)
        {
            return KernelGrain.Source;
        }
        if (node.Op.IsView && node.Outputs.Length == 1)
        {
            return KernelGrain.View;
        }
        int[][] inputs = [.. node.Inputs.Select(input => input.Shape.Bind(batch))];
        int[][] outputs = [.. node.Outputs.Select(output => output.Shape.Bind(batch))];
        work[place] = node.Op.Work(inputs, outputs);
        bool small = work[place] <= limits.KernelWork && node.Op.ScratchElements(inputs, outputs) == 0
            && node.Outputs.All(output => output.Shape.Elements(batch) <= limits.KernelElements);
        if (!small)
        {
            return KernelGrain.Large;
        }
        bool perSample = node.Op.IsPerSample && node.Outputs.All(output => IsBySample(output.Shape))
            && node.Inputs.All(input => IsBySample(input.Shape) || !input.Shape.HasBatch);
        return perSample ? KernelGrain.PerSample : KernelGrain.Small;
    }

    /// <summary>True if each sample is one stretch of the tensor.</summary>
    private static bool IsBySample(Shape shape) => shape.Rank > 0 && shape[0] == Dim.Batch;

    private void Visit(int place, KernelGrain grain)
    {
        if (grain == KernelGrain.Source)
        {
            stageOf[place] = -1;
            return;
        }
        bool measured = IsWatched(schedule[place]);
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
        foreach (Value input in schedule[place].Inputs)
        {
            int producer = producers[places[input.Node]];
            while (stageOf[producer] == Open)
            {
                Cut();
            }
            first = Math.Max(first, stageOf[producer] + 1);
        }
        return first;
    }

    private void AddToChain(int place, bool measured)
    {
        stageOf[place] = stages.Count;
        chain.Add(place);
        chainWork += work[place];
        if (measured)
        {
            WaitForMeasuring(place, stages.Count + 1);
        }
        if (chainWork >= parts * limits.ChainWork)
        {
            Cut();
        }
    }

    private void WaitForMeasuring(int place, int ready)
    {
        double elements = schedule[place].Outputs.Sum(output => (double)output.Shape.Elements(batch));
        waiting.Add(new Waiting(new StageCall(place, 0, 1, Runs: false, Measures: true), ready, elements));
    }

    private void TakeAllThreads(int place)
    {
        if (chain.Count > 0 || waiting.Any(call => stages.Count - call.Ready >= limits.Lag))
        {
            Cut();
        }
        stageOf[place] = stages.Count;
        stages.Add(new Stage([[new StageCall(place, 0, 1, Runs: true, Measures: true)]], 1, TakesAllThreads: true));
    }

    /// <summary>Ends the chain, and makes a stage of it and of what waits for no later one.</summary>
    private void Cut()
    {
        int stage = stages.Count;
        List<StageCall[]> tasks = [];
        for (int part = 0; part < parts && chain.Count > 0; part++)
        {
            StageCall[] calls = new StageCall[chain.Count];
            for (int i = 0; i < calls.Length; i++)
            {
                calls[i] = new StageCall(chain[i], part, parts, Runs: true, Measures: false);
            }
            tasks.Add(calls);
        }
        Waiting[] ready = [.. waiting.Where(call => call.Ready <= stage)];
        waiting.RemoveAll(call => call.Ready <= stage);
        foreach (Waiting call in ready)
        {
            (call.Call.Runs ? stageOf : measuredIn)[call.Call.Kernel] = stage;
        }
        Bundle(ready.Where(call => call.Call.Runs), limits.TaskWork, tasks);
        int running = tasks.Count;
        Bundle(ready.Where(call => !call.Call.Runs), limits.MeasuredElements, tasks);
        bool alone = chain.Count == 0 && tasks is [[{ Runs: true }]];
        stages.Add(new Stage([.. tasks], running, alone));
        chain.Clear();
        chainWork = 0;
    }

    /// <summary>Joins calls into tasks that are worth being handed out.</summary>
    private static void Bundle(IEnumerable<Waiting> calls, double least, List<StageCall[]> tasks)
    {
        List<StageCall> task = [];
        double size = 0;
        foreach (Waiting call in calls)
        {
            task.Add(call.Call);
            size += call.Size;
            if (size >= least)
            {
                tasks.Add([.. task]);
                task.Clear();
                size = 0;
            }
        }
        if (task.Count > 0)
        {
            tasks.Add([.. task]);
        }
    }

    private bool IsWatched(Node node)
    {
        for (int output = 0; output < node.Outputs.Length; output++)
        {
            if (watched.Contains(new Value(node, output)))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>A call that has its turn in some stage from one on, and what it takes: operations, or elements to measure.</summary>
    private sealed record Waiting(StageCall Call, int Ready, double Size);
}
