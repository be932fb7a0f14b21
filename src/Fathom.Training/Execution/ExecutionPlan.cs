using System.Diagnostics;
using System.Numerics;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Execution;

/// <summary>
/// A graph made ready to run at one batch size: the schedule, the place of every tensor, and the bindings of every
/// kernel, all computed once. Running it allocates nothing.
/// </summary>
public sealed partial class ExecutionPlan<T> : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly AlignedMemory<T> arena;
    private readonly AlignedMemory<int> indices;
    private readonly AlignedMemory<T> scratch;
    private readonly NodeSchedule schedule;
    private readonly TensorBinding<T>[] operands;
    private readonly Kernel[] kernels;
    private readonly Stage[] stages;
    private readonly int[] tasks;
    private readonly StageCall[] calls;
    private ReadAhead<T> ahead;
    private readonly (Buffer<T> From, Buffer<T> To)[] gradientCopies;
    private readonly (Buffer<T> From, Buffer<T> To)[] updates;
    private readonly IReadOnlyList<(int Kernel, string Parameter)> lastGradients;
    private OptimizerState<T>? optimizer;

    /// <summary>By value, its probe; −1 for none. Empty if nothing is watched.</summary>
    private int[] probeIds = [];

    private readonly WorkerPool pool;

    // The bindings point into the store's memory, which a finalizer frees once nobody refers to the store.
    private readonly ParameterStore<T> store;

    internal ExecutionPlan(PlanBuilder<T> builder)
    {
        pool = builder.Pool;
        store = builder.Store;
        arena = builder.Arena;
        indices = builder.Indices;
        schedule = builder.Schedule;
        operands = builder.Operands;
        kernels = builder.Kernels;
        stages = [.. builder.Stages.Stages];
        tasks = [.. builder.Stages.Tasks];
        calls = [.. builder.Stages.Calls];
        gradientCopies = builder.GradientCopies;
        updates = builder.Updates;
        lastGradients = builder.LastGradients;
        scratch = new AlignedMemory<T>(builder.ScratchElements);
        PeakAliveElements = builder.LeastElements;
        ahead = FindAhead();
    }

    /// <summary>Samples per batch.</summary>
    public int Batch => schedule.Batch;

    /// <summary>The workers that run it.</summary>
    internal WorkerPool Pool => pool;

    /// <summary>Elements of the arena for activations and their gradients.</summary>
    public int ArenaElements => arena.Length;

    /// <summary>
    /// The most elements alive at once when one kernel runs after the other, which no plan can go below. What several
    /// threads do at the same time needs somewhat more.
    /// </summary>
    public int PeakAliveElements { get; }

    /// <summary>Elements of memory that kernels work with.</summary>
    public int ScratchElements => scratch.Length;

    /// <summary>The nodes in the order in which they run.</summary>
    public IEnumerable<Node> Schedule => kernels.Select(kernel => kernel.Node).Where(node => node.Op is not (Parameter or Input));

    /// <summary>Makes a plan.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="batch">Samples per batch; at least 1.</param>
    /// <param name="store">The parameters.</param>
    /// <param name="pool">The workers.</param>
    /// <param name="wanted">Values to compute and to keep until the end of the run.</param>
    /// <param name="gradients">Parameter gradients to write into the store: parameter node's name to gradient value.</param>
    /// <param name="watched">Values to compute even if nobody needs them; they live only until they have been seen.</param>
    public static ExecutionPlan<T> Create(Graph graph, int batch, ParameterStore<T> store, WorkerPool pool,
        IReadOnlyCollection<Value> wanted, IReadOnlyDictionary<string, Value>? gradients = null, IReadOnlyCollection<Value>? watched = null) =>
        Create(graph, batch, store, pool, wanted, gradients, watched, StageLimits.Default);

    internal static ExecutionPlan<T> Create(Graph graph, int batch, ParameterStore<T> store, WorkerPool pool, IReadOnlyCollection<Value> wanted,
        IReadOnlyDictionary<string, Value>? gradients, IReadOnlyCollection<Value>? watched, StageLimits limits)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        return new ExecutionPlan<T>(new PlanBuilder<T>(graph, batch, store, pool, wanted, gradients ?? new Dictionary<string, Value>(), watched ?? [], limits));
    }

    /// <summary>The elements of an input, or of a value that the plan was asked to keep.</summary>
    public Buffer<T> Real(Value value) => BindingOf(value).Real;

    /// <summary>The elements of an input of indices.</summary>
    public Buffer<int> Index(Value value) => BindingOf(value).Index;

    /// <summary>Runs every node once.</summary>
    /// <param name="training">True in a training step: running statistics are updated too.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="step">Step number, which keys the random numbers.</param>
    /// <param name="probe">Sees each watched tensor directly after it has been written; null for none.</param>
    /// <param name="profile">Takes the time of every kernel; null for none.</param>
    public void Run(bool training, ulong seed, long step, ProbeSet<T>? probe = null, StepProfile? profile = null) => Run(training, seed, step, keepStatistics: false, probe, profile);

    /// <summary>The same; a run that only measures keeps the running statistics as they are.</summary>
    internal void Run(bool training, ulong seed, long step, bool keepStatistics, ProbeSet<T>? probe = null, StepProfile? profile = null)
    {
        Circumstances run = new(training, seed, step, probe, profile, FlushToZero.BySoftware);
        foreach (ref readonly Stage stage in stages.AsSpan())
        {
            if (stage.TakesAllThreads)
            {
                RunAlone(tasks[stage.First], in run);
            }
            else
            {
                RunTogether(in stage, in run);
            }
        }
        pool.LevelScratch();
        if (profile is not null)
        {
            Report(profile);
        }
        long clock = profile is null ? 0 : Stopwatch.GetTimestamp();
        Copy(gradientCopies);
        if (training && !keepStatistics)
        {
            Copy(updates);
        }
        profile?.Add("copies of gradients and statistics", clock);
        GC.KeepAlive(store);
    }

    /// <summary>Tells each kernel which probe its outputs belong to; they must have been asked to be watched.</summary>
    internal void AttachProbes(IReadOnlyDictionary<Value, int> probes)
    {
        probeIds = new int[schedule.Values];
        Array.Fill(probeIds, -1);
        foreach ((Value value, int id) in probes)
        {
            if (schedule.NumberOf(value) is >= 0 and int number)
            {
                probeIds[number] = id;
            }
        }
    }

    /// <summary>
    /// Has each parameter updated directly after its gradient has been computed, while both are in cache, wherever nothing of the
    /// run reads the parameter from there on. A step of the optimizer must have begun when the plan is run.
    /// </summary>
    internal void AttachUpdates(OptimizerState<T> state)
    {
        optimizer = state;
        foreach ((int kernel, string parameter) in lastGradients)
        {
            kernels[kernel] = kernels[kernel] with { Updates = state.IndexOf(parameter) };
        }
        ahead = FindAhead();
    }

    public void Dispose()
    {
        arena.Dispose();
        indices.Dispose();
        scratch.Dispose();
    }

    private TensorBinding<T> BindingOf(Value value)
    {
        int number = schedule.NumberOf(value);
        if (number < 0)
        {
            throw new KeyNotFoundException($"the plan does not compute {value}");
        }
        ref readonly Kernel writer = ref kernels[schedule.WriterOf(number)];
        return operands[writer.First + writer.Inputs + value.Index];
    }

    private ReadAhead<T> FindAhead() => new(schedule, operands, kernels, stages, tasks, calls, pool.Threads, optimizer);

    private static void Copy((Buffer<T> From, Buffer<T> To)[] copies)
    {
        foreach ((Buffer<T> from, Buffer<T> to) in copies)
        {
            from.Span.CopyTo(to);
        }
    }
}
