using System.Numerics;
using System.Runtime.InteropServices;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Execution;

/// <summary>
/// What each call of a task should ask memory for on the way, see <see cref="KernelContext{T}.Ahead"/>: the weights and the saved
/// activations that the calls behind it read, up to and including the next one that can ask for more, and what the optimizer
/// reads when it updates the parameter whose gradient the call computes. It changes no result.
/// </summary>
internal sealed class ReadAhead<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Elements of a tensor below which it is not worth it.</summary>
    private const int Least = 512;

    /// <summary>Elements that a call asks for: half a second-level cache of floats, so that it is all still there when its turn comes.</summary>
    private const int Most = 128 * 1024;

    private readonly NodeSchedule schedule;
    private readonly TensorBinding<T>[] operands;
    private readonly ExecutionPlan<T>.Kernel[] kernels;
    private readonly StageCall[] calls;
    private readonly int[] stageOf;
    private readonly List<Buffer<T>> found = [];
    private readonly Buffer<T>[] buffers;
    private readonly int[] first;

    public ReadAhead(NodeSchedule schedule, TensorBinding<T>[] operands, ExecutionPlan<T>.Kernel[] kernels, Stage[] stages, int[] tasks, StageCall[] calls, int threads, OptimizerState<T>? optimizer)
    {
        (this.schedule, this.operands, this.kernels, this.calls) = (schedule, operands, kernels, calls);
        first = new int[calls.Length + 1];
        stageOf = StagesOf(stages, tasks);
        for (int stage = 0; stage < stages.Length; stage++)
        {
            for (int task = stages[stage].First; task < stages[stage].First + stages[stage].Tasks; task++)
            {
                for (int i = tasks[task]; i < tasks[task + 1]; i++)
                {
                    if ((threads == 1 || !stages[stage].TakesAllThreads) && calls[i].Runs && schedule.Nodes[calls[i].Kernel].Op.FetchesAhead)
                    {
                        Collect(i, stage, tasks[task + 1], threads == 1 ? tasks[task + 1]..calls.Length : Continuation(stages, tasks, stage, task), optimizer);
                    }
                    first[i + 1] = found.Count;
                }
            }
        }
        buffers = [.. found];
    }

    /// <summary>What a call asks for.</summary>
    public ReadOnlySpan<Buffer<T>> Of(int call) => buffers.AsSpan(first[call]..first[call + 1]);

    /// <summary>By place, the stage in which a node runs; −1 for what is there before.</summary>
    private int[] StagesOf(Stage[] stages, int[] tasks)
    {
        int[] found = new int[schedule.Count];
        Array.Fill(found, -1);
        for (int stage = 0; stage < stages.Length; stage++)
        {
            for (int i = tasks[stages[stage].First]; i < tasks[stages[stage].First + stages[stage].Tasks]; i++)
            {
                if (calls[i].Runs)
                {
                    found[calls[i].Kernel] = stage;
                }
            }
        }
        return found;
    }

    /// <summary>The calls with which the same thread most likely goes on: a chain's next stretch, for the same samples.</summary>
    private Range Continuation(Stage[] stages, int[] tasks, int stage, int task)
    {
        int part = task - stages[stage].First;
        if (calls[tasks[task]].Parts == 1 || stage + 1 == stages.Length || stages[stage + 1].Tasks <= part)
        {
            return default;
        }
        int next = stages[stage + 1].First + part;
        return tasks[next] < tasks[next + 1] && calls[tasks[next]].Parts > 1 ? tasks[next]..tasks[next + 1] : default;
    }

    private void Collect(int call, int stage, int end, Range continuation, OptimizerState<T>? optimizer)
    {
        int start = found.Count;
        int parameter = kernels[calls[call].Kernel].Updates;
        if (parameter >= 0)
        {
            optimizer?.AddReads(parameter, found);
        }
        if (!Collect(call + 1, end, stage, start))
        {
            Collect(continuation.Start.Value, continuation.End.Value, stage, start);
        }
    }

    /// <summary>Adds what calls read that was not written just now; true once one of them can ask for the rest.</summary>
    private bool Collect(int from, int to, int stage, int start)
    {
        for (int i = from; i < to; i++)
        {
            if (!calls[i].Runs)
            {
                continue;
            }
            ref readonly ExecutionPlan<T>.Kernel kernel = ref kernels[calls[i].Kernel];
            ReadOnlySpan<int> inputs = schedule.Inputs(calls[i].Kernel);
            for (int k = 0; k < inputs.Length; k++)
            {
                int writer = schedule.WriterOf(inputs[k]);
                if (schedule.Nodes[writer].Op is Parameter || stageOf[writer] < stage - 1)
                {
                    Add(operands[kernel.FirstOperand(calls[i]) + k].Real, start);
                }
            }
            if (kernel.Node.Op.FetchesAhead)
            {
                return true;
            }
        }
        return false;
    }

    private unsafe void Add(Buffer<T> buffer, int start)
    {
        long sum = buffer.Length;
        foreach (ref readonly Buffer<T> other in CollectionsMarshal.AsSpan(found)[start..])
        {
            sum += other.Length;
            if (other.Pointer == buffer.Pointer)
            {
                return;
            }
        }
        if (buffer.Length >= Least && sum <= Most)
        {
            found.Add(buffer);
        }
    }
}
