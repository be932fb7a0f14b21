using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Execution;

/// <summary>Works out schedule and memory for an <see cref="ExecutionPlan{T}"/>.</summary>
internal sealed class PlanBuilder<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly Graph graph;
    private readonly ParameterStore<T> store;
    private readonly HashSet<Value> wanted;
    private readonly Dictionary<Value, ParameterSlice> gradientSlots = [];
    private readonly List<(Value From, ParameterSlice To)> copiedGradients = [];
    private readonly Dictionary<Value, int> offsets = [];
    private readonly List<Node> schedule = [];
    private readonly StagePlan stages;

    public PlanBuilder(Graph graph, int batch, ParameterStore<T> store, WorkerPool pool,
        IReadOnlyCollection<Value> wanted, IReadOnlyDictionary<string, Value> gradients, IReadOnlyCollection<Value> watched, StageLimits limits)
    {
        (this.graph, Batch, this.store, Pool) = (graph, batch, store, pool);
        this.wanted = [.. wanted];
        AssignGradients(gradients);
        Order([.. wanted, .. gradients.Values, .. watched]);
        stages = new StagePlan(schedule, batch, pool.Threads, watched.ToHashSet(), limits);
        Place();
        LeastElements = pool.Threads == 1 ? Memory.PeakAlive : LeastAlive();
        Arena = new AlignedMemory<T>(Memory.Length);
        Indices = new AlignedMemory<int>(IndexLength);
        Bind();
    }

    public int Batch { get; }

    public WorkerPool Pool { get; }

    public ParameterStore<T> Store => store;

    public MemoryPlan Memory { get; } = new();

    /// <summary>The most elements that are alive at once when one kernel runs after the other.</summary>
    public int LeastElements { get; }

    public AlignedMemory<T> Arena { get; }

    public AlignedMemory<int> Indices { get; }

    public Dictionary<Value, TensorBinding<T>> Bindings { get; } = [];

    public ExecutionPlan<T>.Kernel[] Kernels { get; private set; } = [];

    public ExecutionPlan<T>.BoundStage[] Stages { get; private set; } = [];

    /// <summary>Gradients that could not be written straight into the store; copied after every run.</summary>
    public (Buffer<T> From, Buffer<T> To)[] GradientCopies { get; private set; } = [];

    /// <summary>Running statistics; copied after training steps only.</summary>
    public (Buffer<T> From, Buffer<T> To)[] Updates { get; private set; } = [];

    /// <summary>Nodes that write a parameter's gradient into the store in a stage in which nobody reads the parameter any more.</summary>
    public Dictionary<Node, string> LastGradients { get; } = new(ReferenceEqualityComparer.Instance);

    public int ScratchElements { get; private set; }

    private int IndexLength { get; set; }

    /// <summary>
    /// A parameter's gradient is written straight into the store, unless the same value serves twice or is also a
    /// tensor of another kind; then it is copied at the end.
    /// </summary>
    private void AssignGradients(IReadOnlyDictionary<string, Value> gradients)
    {
        foreach ((string name, Value gradient) in gradients)
        {
            ParameterSlice slice = store.Find(name);
            bool direct = gradient.Node.Op is not Source && !gradient.Node.Op.IsView && gradientSlots.TryAdd(gradient, slice);
            if (!direct)
            {
                copiedGradients.Add((gradient, slice));
                wanted.Add(gradient);
            }
        }
    }

    /// <summary>Keeps the nodes that something asks for, in the graph's own order.</summary>
    private void Order(List<Value> roots)
    {
        HashSet<Node> needed = new(ReferenceEqualityComparer.Instance);
        Stack<Node> open = new(roots.Select(value => value.Node));
        while (open.TryPop(out Node? node))
        {
            if (needed.Add(node))
            {
                foreach (Value input in node.Inputs)
                {
                    open.Push(input.Node);
                }
            }
        }
        // Inputs keep their place in every plan, so that a caller may feed them whether or not they are read.
        schedule.AddRange(graph.Nodes.Where(node => needed.Contains(node) || node.Op is Input));
    }

    /// <summary>
    /// Gives every tensor its place. What runs in one stage runs at the same time or in any order, so a tensor lives from
    /// the beginning of the stage that writes it to the end of the last one that reads it.
    /// </summary>
    private void Place()
    {
        Dictionary<Value, int> lastRead = LastReads(i => Math.Max(stages.StageOf(i), schedule[i].Op.IsView ? stages.MeasuredIn(i) : -1));
        InPlaceOutputs inPlace = InPlace(stages.StageOf, stages.MeasuredIn, lastRead);
        FindLastGradients(lastRead);
        int[] order = [.. Enumerable.Range(0, schedule.Count).OrderBy(stages.StageOf)];
        Dictionary<Value, int> ends = Ends(inPlace, lastRead);
        // Inputs are written before the first node runs, so they get memory that nothing else uses.
        foreach (Node input in schedule.Where(node => node.Op is Input && node.Outputs[0].Kind == ElementKind.Real))
        {
            offsets[input.Output] = Memory.Place(input.Outputs[0].Shape.Elements(Batch), 0, int.MaxValue);
        }
        foreach (int i in order)
        {
            foreach (Value value in InArena(schedule[i]))
            {
                int elements = value.Shape.Elements(Batch);
                if (value.Type.Kind == ElementKind.Index)
                {
                    offsets[value] = IndexLength;
                    IndexLength += elements;
                }
                else if (schedule[i].Op is not Input)
                {
                    offsets[value] = inPlace.Contains(value) ? offsets[inPlace.MemoryOf(value)] : Memory.Place(elements, stages.StageOf(i), ends[value]);
                }
            }
        }
    }

    private void FindLastGradients(Dictionary<Value, int> lastRead)
    {
        Dictionary<string, Value> parameters = schedule.Where(node => node.Op is Parameter).ToDictionary(node => node.Name, node => node.Output);
        for (int i = 0; i < schedule.Count; i++)
        {
            // One that writes several gradients would have to wait for the last reader of any of them.
            if (schedule[i].Outputs.Length == 1 && gradientSlots.TryGetValue(schedule[i].Output, out ParameterSlice? slice) && slice.Trainable
                && parameters.TryGetValue(slice.Name, out Value parameter) && !wanted.Contains(parameter) && lastRead.GetValueOrDefault(parameter, -1) < stages.StageOf(i))
            {
                LastGradients.Add(schedule[i], slice.Name);
            }
        }
    }

    /// <summary>The last stage that wants each piece of memory, on behalf of whatever lies in it one after the other.</summary>
    private Dictionary<Value, int> Ends(InPlaceOutputs inPlace, Dictionary<Value, int> lastRead)
    {
        Dictionary<Value, int> ends = [];
        for (int i = 0; i < schedule.Count; i++)
        {
            foreach (Value value in InArena(schedule[i]))
            {
                int end = wanted.Contains(value) ? int.MaxValue : lastRead.GetValueOrDefault(value, stages.StageOf(i));
                Value memory = inPlace.MemoryOf(value);
                ends[memory] = Math.Max(ends.GetValueOrDefault(memory, -1), Math.Max(end, stages.MeasuredIn(i)));
            }
        }
        return ends;
    }

    /// <summary>What may be written where an input lies, if the nodes run in these turns.</summary>
    private InPlaceOutputs InPlace(Func<int, int> turnOf, Func<int, int> measuredIn, Dictionary<Value, int> lastRead)
    {
        HashSet<Value> inArena = [.. schedule.Where(node => node.Op is not Input).SelectMany(InArena)];
        return new InPlaceOutputs(schedule, Batch, turnOf, measuredIn, lastRead, value => inArena.Contains(value) && !wanted.Contains(value), inArena.Contains);
    }

    /// <summary>The most elements that would be alive at once if one kernel ran after the other.</summary>
    private int LeastAlive()
    {
        Dictionary<Value, int> lastRead = LastReads(i => i);
        InPlaceOutputs inPlace = InPlace(i => i, _ => -1, lastRead);
        long[] change = new long[schedule.Count + 1];
        for (int i = 0; i < schedule.Count; i++)
        {
            bool input = schedule[i].Op is Input;
            foreach (Value value in InArena(schedule[i]).Where(value => value.Type.Kind == ElementKind.Real))
            {
                int size = MemoryPlan.Rounded(value.Shape.Elements(Batch));
                int end = input || wanted.Contains(value) ? int.MaxValue : lastRead.GetValueOrDefault(value, i);
                // What lies where an input did takes over from it.
                int begin = input ? 0 : inPlace.Contains(value) ? i + 1 : i;
                change[begin] += size;
                change[Math.Max(Math.Min(end, schedule.Count - 1) + 1, begin)] -= size;
            }
        }
        long alive = 0, most = 0;
        foreach (long difference in change.AsSpan(0, schedule.Count))
        {
            alive += difference;
            most = Math.Max(most, alive);
        }
        return checked((int)most);
    }

    /// <summary>The outputs that have no other memory.</summary>
    private IEnumerable<Value> InArena(Node node)
    {
        for (int output = 0; output < node.Outputs.Length; output++)
        {
            Value value = new(node, output);
            if (node.Op is not Parameter && !gradientSlots.ContainsKey(value) && !(node.Op.IsView && output == 0))
            {
                yield return value;
            }
        }
    }

    /// <summary>The last turn in which each value is read, given each node's; reading a view reads what it looks at.</summary>
    private Dictionary<Value, int> LastReads(Func<int, int> turnOf)
    {
        Dictionary<Value, int> last = [];
        for (int i = schedule.Count - 1; i >= 0; i--)
        {
            Node node = schedule[i];
            int turn = turnOf(i);
            for (int k = 0; k < node.Inputs.Length; k++)
            {
                int use = turn;
                if (node.Op.IsView && k == 0)
                {
                    use = wanted.Contains(node.Output) ? int.MaxValue : Math.Max(turn, last.GetValueOrDefault(node.Output, turn));
                }
                last[node.Inputs[k]] = Math.Max(use, last.GetValueOrDefault(node.Inputs[k], 0));
            }
            foreach ((int _, int output) in UpdatesOf(node))
            {
                last[new Value(node, output)] = int.MaxValue;
            }
        }
        return last;
    }

    private void Bind()
    {
        List<ExecutionPlan<T>.Kernel> kernels = [];
        int[] kernelAt = new int[schedule.Count];
        List<(Buffer<T>, Buffer<T>)> updates = [];
        for (int place = 0; place < schedule.Count; place++)
        {
            Node node = schedule[place];
            TensorBinding<T>[] inputs = [.. node.Inputs.Select(input => Bindings[input])];
            TensorBinding<T>[] outputs = new TensorBinding<T>[node.Outputs.Length];
            for (int output = 0; output < outputs.Length; output++)
            {
                Value value = new(node, output);
                Bindings[value] = outputs[output] = BindingOf(value, inputs);
            }
            if (node.Op is Parameter or Input)
            {
                continue;
            }
            kernelAt[place] = kernels.Count;
            kernels.Add(new ExecutionPlan<T>.Kernel(node, RandomKey.StreamOf((node.Repeats ?? node).Name), inputs, outputs, []));
            foreach ((int input, int output) in UpdatesOf(node))
            {
                updates.Add((outputs[output].Real, inputs[input].Real));
            }
            int scratch = node.Op.ScratchElements([.. inputs.Select(binding => binding.Shape)], [.. outputs.Select(binding => binding.Shape)]);
            ScratchElements = Math.Max(ScratchElements, scratch);
        }
        GradientCopies = [.. copiedGradients.Select(copy => (Bindings[copy.From].Real, store.Gradient(copy.To)))];
        Kernels = [.. kernels];
        Stages = [.. stages.Stages.Select(stage => new ExecutionPlan<T>.BoundStage(
            [.. stage.Tasks.Select(task => task.Select(call => BindCall(call, kernelAt[call.Kernel])).ToArray())], stage.Running, stage.TakesAllThreads))];
        Updates = [.. updates];
    }

    /// <summary>Running statistics see a batch once, however often a node is computed.</summary>
    private static ImmutableArray<(int Input, int Output)> UpdatesOf(Node node) => node.Repeats is null ? node.Op.Updates : [];

    private TensorBinding<T> BindingOf(Value value, TensorBinding<T>[] inputs)
    {
        int[] shape = value.Shape.Bind(Batch);
        int elements = value.Shape.Elements(Batch);
        if (value.Type.Kind == ElementKind.Index)
        {
            return new TensorBinding<T>(default, Indices.Buffer.Slice(offsets[value], elements), shape);
        }
        Buffer<T> memory = value switch
        {
            { Node.Op: Parameter } => store.Value(store.Find(value.Node.Name)),
            { Node.Op.IsView: true, Index: 0 } => inputs[0].Real,
            _ when gradientSlots.TryGetValue(value, out ParameterSlice? slice) => store.Gradient(slice),
            _ => Arena.Buffer.Slice(offsets[value], elements),
        };
        return new TensorBinding<T>(memory, default, shape);
    }

    private ExecutionPlan<T>.BoundCall BindCall(StageCall call, int kernel)
    {
        ExecutionPlan<T>.Kernel whole = Kernels[kernel];
        Node node = whole.Node;
        return call.Parts == 1
            ? new ExecutionPlan<T>.BoundCall(kernel, whole.Inputs, whole.Outputs, call.Runs, call.Measures)
            : new ExecutionPlan<T>.BoundCall(kernel,
                [.. whole.Inputs.Select((binding, i) => SamplesOf(binding, node.Inputs[i].Shape, call))],
                [.. whole.Outputs.Select((binding, i) => SamplesOf(binding, node.Outputs[i].Shape, call))],
                call.Runs, call.Measures);
    }

    /// <summary>The samples of one part; all of a tensor that has no batch axis.</summary>
    private TensorBinding<T> SamplesOf(TensorBinding<T> whole, Shape shape, StageCall call)
    {
        if (!shape.HasBatch)
        {
            return whole;
        }
        int start = (int)((long)Batch * call.Part / call.Parts);
        int samples = (int)((long)Batch * (call.Part + 1) / call.Parts) - start;
        int each = shape.Elements(1);
        return new TensorBinding<T>(
            whole.Real.IsEmpty ? default : whole.Real.Slice(start * each, samples * each),
            whole.Index.IsEmpty ? default : whole.Index.Slice(start * each, samples * each),
            [samples, .. whole.Shape.AsSpan(1)]);
    }
}
