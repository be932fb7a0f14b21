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
        HashSet<Value> seen = [.. watched];
        stages = new StagePlan(schedule, batch, pool.Threads, seen, limits);
        Place(stages, Memory, offsets);
        LeastElements = Memory.PeakAlive;
        if (pool.Threads > 1)
        {
            MemoryPlan sequential = new();
            Place(new StagePlan(schedule, batch, 1, seen, limits), sequential, []);
            LeastElements = sequential.PeakAlive;
        }
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
    private void Place(StagePlan plan, MemoryPlan memory, Dictionary<Value, int> places)
    {
        Dictionary<Value, int> lastRead = LastReads(plan);
        IndexLength = 0;
        // Inputs are written before the first node runs, so they get memory that nothing else uses.
        foreach (Node input in schedule.Where(node => node.Op is Input && node.Outputs[0].Kind == ElementKind.Real))
        {
            places[input.Output] = memory.Place(input.Outputs[0].Shape.Elements(Batch), 0, int.MaxValue);
        }
        foreach (int i in Enumerable.Range(0, schedule.Count).OrderBy(plan.StageOf))
        {
            Node node = schedule[i];
            int born = plan.StageOf(i);
            for (int output = 0; output < node.Outputs.Length; output++)
            {
                Value value = new(node, output);
                if (places.ContainsKey(value) || node.Op is Parameter || gradientSlots.ContainsKey(value) || (node.Op.IsView && output == 0))
                {
                    continue;
                }
                int elements = value.Shape.Elements(Batch);
                if (value.Type.Kind == ElementKind.Index)
                {
                    places[value] = IndexLength;
                    IndexLength += elements;
                }
                else
                {
                    int end = wanted.Contains(value) ? int.MaxValue : lastRead.GetValueOrDefault(value, born);
                    places[value] = memory.Place(elements, born, Math.Max(end, plan.MeasuredIn(i)));
                }
            }
        }
    }

    /// <summary>The last stage that reads each value; reading a view reads what it looks at.</summary>
    private Dictionary<Value, int> LastReads(StagePlan plan)
    {
        Dictionary<Value, int> last = [];
        for (int i = schedule.Count - 1; i >= 0; i--)
        {
            Node node = schedule[i];
            int stage = Math.Max(plan.StageOf(i), node.Op.IsView ? plan.MeasuredIn(i) : -1);
            for (int k = 0; k < node.Inputs.Length; k++)
            {
                int use = stage;
                if (node.Op.IsView && k == 0)
                {
                    use = wanted.Contains(node.Output) ? int.MaxValue : Math.Max(stage, last.GetValueOrDefault(node.Output, stage));
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
