using System.Diagnostics;
using System.Numerics;
using Fathom.Compute;
using Fathom.Graphs;

namespace Fathom.Training.Execution;

/// <content>Running a stage: one kernel on all threads, or tasks side by side, each on one thread.</content>
public sealed partial class ExecutionPlan<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const string WatchPart = "watch: activations and gradients";
    private const string UpdatePart = "optimizer";

    /// <summary>Times of each kernel: of running, measuring, updating.</summary>
    private const int Clocks = 3;

    /// <summary>Ticks by thread and by kernel; made when a profile first asks for them.</summary>
    private long[][]? ticks;
    private long ticksTogether;

    private void RunAlone(in BoundCall call, in Circumstances run)
    {
        long clock = run.Profile is null ? 0 : Stopwatch.GetTimestamp();
        ref readonly Kernel kernel = ref kernels[call.Kernel];
        Run(in kernel, in call, in run, pool, scratch.Buffer);
        clock = run.Profile?.Add(kernel.Node.Op.Kind, clock) ?? 0;
        if (run.Probe is not null)
        {
            run.Probe.Observe(kernel.ProbeIds, call.Outputs, pool);
            clock = run.Profile?.Add(WatchPart, clock) ?? 0;
        }
        if (kernel.Updates >= 0)
        {
            optimizer!.Update(kernel.Updates, pool);
            run.Profile?.Add(UpdatePart, clock);
        }
    }

    private void RunTogether(BoundStage stage, in Circumstances run)
    {
        int tasks = run.Probe is null ? stage.Running : stage.Tasks.Length;
        StageJob job = new() { Plan = this, Tasks = stage.Tasks, Run = run };
        if (run.Profile is null)
        {
            pool.Run(ref job, tasks);
            return;
        }
        ticks ??= [.. Enumerable.Range(0, pool.Threads).Select(_ => new long[Clocks * kernels.Length])];
        long started = Stopwatch.GetTimestamp();
        pool.Run(ref job, tasks);
        ticksTogether += Stopwatch.GetTimestamp() - started;
    }

    private static void Run(in Kernel kernel, in BoundCall call, in Circumstances run, WorkerPool workers, Buffer<T> memory)
    {
        KernelContext<T> context = new()
        {
            Inputs = call.Inputs,
            Outputs = call.Outputs,
            Pool = workers,
            Training = run.Training,
            Random = new RandomKey(run.Seed, kernel.Stream, (ulong)run.Step),
            Scratch = memory,
        };
        kernel.Node.Op.Run(in context);
        if (run.FlushOutputs)
        {
            foreach (TensorBinding<T> output in call.Outputs)
            {
                FlushToZero.Apply(output.Real, workers);
            }
        }
    }

    /// <summary>What ran side by side counts by its share of the threads, so that the parts add up to the time that passed.</summary>
    private void Report(StepProfile profile)
    {
        if (ticks is null)
        {
            return;
        }
        long busy = 0;
        for (int kernel = 0; kernel < kernels.Length; kernel++)
        {
            busy += Report(profile, kernels[kernel].Node.Op.Kind, Clocks * kernel);
            busy += Report(profile, WatchPart, Clocks * kernel + 1);
            busy += Report(profile, UpdatePart, Clocks * kernel + 2);
        }
        profile.AddTicks("threads without work", Math.Max(0, ticksTogether - busy / pool.Threads));
        ticksTogether = 0;
    }

    /// <summary>Hands one clock of all threads over, and gives its ticks.</summary>
    private long Report(StepProfile profile, string part, int clock)
    {
        long sum = 0;
        foreach (long[] thread in ticks!)
        {
            sum += thread[clock];
            thread[clock] = 0;
        }
        if (sum > 0)
        {
            profile.AddTicks(part, sum / pool.Threads);
        }
        return sum;
    }

    /// <summary>A node with its tensors.</summary>
    internal readonly record struct Kernel(Node Node, uint Stream, TensorBinding<T>[] Inputs, TensorBinding<T>[] Outputs, int[] ProbeIds)
    {
        /// <summary>The optimizer's parameter to update after it has run; −1 for none.</summary>
        public int Updates { get; init; } = -1;
    }

    /// <summary>A kernel's turn, with all samples of its tensors or with some.</summary>
    internal readonly record struct BoundCall(int Kernel, TensorBinding<T>[] Inputs, TensorBinding<T>[] Outputs, bool Runs, bool Measures);

    /// <summary>A <see cref="Stage"/> with its tensors.</summary>
    internal sealed record BoundStage(BoundCall[][] Tasks, int Running, bool TakesAllThreads);

    /// <summary>What all kernels of one run are told.</summary>
    private readonly record struct Circumstances(bool Training, ulong Seed, long Step, ProbeSet<T>? Probe, StepProfile? Profile, bool FlushOutputs);

    private struct StageJob : IParallelJob
    {
        public ExecutionPlan<T> Plan;
        public BoundCall[][] Tasks;
        public Circumstances Run;

        public readonly void Execute(int part, int worker)
        {
            WorkerPool lane = Plan.pool.Lane(worker);
            long[]? ticks = Run.Profile is null ? null : Plan.ticks![worker];
            long clock = ticks is null ? 0 : Stopwatch.GetTimestamp();
            foreach (ref readonly BoundCall call in Tasks[part].AsSpan())
            {
                ref readonly Kernel kernel = ref Plan.kernels[call.Kernel];
                if (call.Runs)
                {
                    ExecutionPlan<T>.Run(in kernel, in call, in Run, lane, default);
                    clock = Add(ticks, Clocks * call.Kernel, clock);
                }
                if (call.Measures && Run.Probe is { } probe)
                {
                    probe.Observe(kernel.ProbeIds, call.Outputs, lane);
                    clock = Add(ticks, Clocks * call.Kernel + 1, clock);
                }
                if (call.Runs && kernel.Updates >= 0)
                {
                    Plan.optimizer!.Update(kernel.Updates, lane);
                    clock = Add(ticks, Clocks * call.Kernel + 2, clock);
                }
            }
        }

        private static long Add(long[]? ticks, int part, long since)
        {
            if (ticks is null)
            {
                return 0;
            }
            long now = Stopwatch.GetTimestamp();
            ticks[part] += now - since;
            return now;
        }
    }
}
