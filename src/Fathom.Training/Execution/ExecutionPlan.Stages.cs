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

    private void RunAlone(int index, in Circumstances run)
    {
        StageCall call = calls[index];
        long clock = run.Profile is null ? 0 : Stopwatch.GetTimestamp();
        ref readonly Kernel kernel = ref kernels[call.Kernel];
        Fetch(run.Probe, in kernel);
        Run(in kernel, call, in run, pool, scratch.Buffer, ahead.Of(index));
        clock = run.Profile?.Add(kernel.Node.Op.Kind, clock) ?? 0;
        if (run.Probe is not null)
        {
            Observe(run.Probe, in kernel, call, pool);
            clock = run.Profile?.Add(WatchPart, clock) ?? 0;
        }
        if (kernel.Updates >= 0)
        {
            optimizer!.Update(kernel.Updates, pool);
            run.Profile?.Add(UpdatePart, clock);
        }
    }

    private void RunTogether(in Stage stage, in Circumstances run)
    {
        int count = run.Probe is null ? stage.Running : stage.Tasks;
        StageJob job = new() { Plan = this, First = stage.First, Run = run };
        if (run.Profile is null)
        {
            pool.Run(ref job, count, interleaved: true);
            return;
        }
        ticks ??= [.. Enumerable.Range(0, pool.Threads).Select(_ => new long[Clocks * kernels.Length])];
        long started = Stopwatch.GetTimestamp();
        pool.Run(ref job, count, interleaved: true);
        ticksTogether += Stopwatch.GetTimestamp() - started;
    }

    private ReadOnlySpan<TensorBinding<T>> OutputsOf(in Kernel kernel, StageCall call) => operands.AsSpan(kernel.FirstOperand(call) + kernel.Inputs, kernel.Outputs);

    private void Observe(ProbeSet<T> probe, in Kernel kernel, StageCall call, WorkerPool workers)
    {
        if (probeIds.Length > 0)
        {
            probe.Observe(probeIds.AsSpan(kernel.FirstOutput, kernel.Outputs), OutputsOf(in kernel, call), workers);
        }
    }

    /// <summary>Asks memory for the statistics that a kernel's outputs and parameter are going to have: they were last written a step ago.</summary>
    private void Fetch(ProbeSet<T>? probe, in Kernel kernel)
    {
        if (probe is null)
        {
            return;
        }
        if (probeIds.Length > 0)
        {
            probe.Fetch(probeIds.AsSpan(kernel.FirstOutput, kernel.Outputs));
        }
        if (kernel.Updates >= 0)
        {
            optimizer!.FetchStatistics(kernel.Updates);
        }
    }

    private void Run(in Kernel kernel, StageCall call, in Circumstances run, WorkerPool workers, Buffer<T> memory, ReadOnlySpan<Buffer<T>> following)
    {
        ReadOnlySpan<TensorBinding<T>> outputs = OutputsOf(in kernel, call);
        KernelContext<T> context = new()
        {
            Inputs = operands.AsSpan(kernel.FirstOperand(call), kernel.Inputs),
            Outputs = outputs,
            Pool = workers,
            Training = run.Training,
            Random = new RandomKey(run.Seed, kernel.Stream, (ulong)run.Step),
            Scratch = memory,
            Ahead = following,
        };
        kernel.Node.Op.Run(in context);
        if (run.FlushOutputs)
        {
            foreach (TensorBinding<T> output in outputs)
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

    /// <summary>A node with its tensors, which lie side by side among the plan's operands: inputs, then outputs.</summary>
    /// <param name="Node">The node.</param>
    /// <param name="Stream">Its stream of random numbers.</param>
    /// <param name="First">The first of its tensors.</param>
    /// <param name="Inputs">How many are inputs.</param>
    /// <param name="Outputs">How many are outputs.</param>
    /// <param name="FirstPart">The first tensor of its first part, if it is run in parts; those of the others follow.</param>
    /// <param name="FirstOutput">The number of its first output in the schedule.</param>
    internal readonly record struct Kernel(Node Node, uint Stream, int First, int Inputs, int Outputs, int FirstPart, int FirstOutput)
    {
        /// <summary>The optimizer's parameter to update after it has run; −1 for none.</summary>
        public int Updates { get; init; } = -1;

        /// <summary>The first tensor of a call: of all samples, or of a part.</summary>
        public int FirstOperand(StageCall call) => call.Parts == 1 ? First : FirstPart + call.Part * (Inputs + Outputs);
    }

    /// <summary>What all kernels of one run are told.</summary>
    private readonly record struct Circumstances(bool Training, ulong Seed, long Step, ProbeSet<T>? Probe, StepProfile? Profile, bool FlushOutputs);

    private struct StageJob : IParallelJob
    {
        public ExecutionPlan<T> Plan;
        public int First;
        public Circumstances Run;

        public readonly void Execute(int part, int worker)
        {
            WorkerPool lane = Plan.pool.Lane(worker);
            long[]? ticks = Run.Profile is null ? null : Plan.ticks![worker];
            long clock = ticks is null ? 0 : Stopwatch.GetTimestamp();
            int[] tasks = Plan.tasks;
            for (int i = tasks[First + part]; i < tasks[First + part + 1]; i++)
            {
                ref readonly StageCall call = ref Plan.calls[i];
                ref readonly Kernel kernel = ref Plan.kernels[call.Kernel];
                if (i + 1 < tasks[First + part + 1] && Plan.calls[i + 1] is { Runs: false } next)
                {
                    Plan.Fetch(Run.Probe, in Plan.kernels[next.Kernel]);
                }
                if (call.Runs)
                {
                    if (call.Measures)
                    {
                        Plan.Fetch(Run.Probe, in kernel);
                    }
                    Plan.Run(in kernel, call, in Run, lane, default, Plan.ahead.Of(i));
                    clock = Add(ticks, Clocks * call.Kernel, clock);
                }
                if (call.Measures && Run.Probe is { } probe)
                {
                    Plan.Observe(probe, in kernel, call, lane);
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
