using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Execution;

/// <summary>Works out schedule and memory for an <see cref="ExecutionPlan{T}"/>. Values go by their number in the schedule.</summary>
internal sealed class PlanBuilder<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly ParameterStore<T> store;
    private readonly bool[] wanted;
    private readonly ParameterSlice?[] gradientSlots;
    private readonly List<(Value From, ParameterSlice To)> copiedGradients = [];
    private readonly bool[] inArena;
    private readonly int[] offsets;
    private readonly StagePlan stages;
    private readonly int[] stageOf;
    private readonly int[] endOf;
    private readonly int[] measuredIn;

    /// <summary>
    /// The arena's regions: of what each thread alone writes, so that no line that it writes is still in another one's cache, and
    /// first of all else.
    /// </summary>
    private readonly MemoryPlan[] regions;

    public PlanBuilder(Graph graph, int batch, ParameterStore<T> store, WorkerPool pool,
        IReadOnlyCollection<Value> wanted, IReadOnlyDictionary<string, Value> gradients, IReadOnlyCollection<Value> watched, StageLimits limits)
    {
        (this.store, Pool) = (store, pool);
        Schedule = NodeSchedule.For(graph, batch, [.. wanted, .. gradients.Values, .. watched]);
        this.wanted = Schedule.Mark(wanted);
        gradientSlots = new ParameterSlice?[Schedule.Values];
        AssignGradients(gradients);
        inArena = InArena();
        offsets = new int[Schedule.Values];
        stages = new StagePlan(Schedule, pool.Threads, Schedule.Mark(watched), limits);
        stageOf = new int[Schedule.Count];
        endOf = new int[Schedule.Count];
        measuredIn = new int[Schedule.Count];
        regions = [.. Enumerable.Range(0, 1 + pool.Threads).Select(_ => new MemoryPlan())];
        for (int place = 0; place < stageOf.Length; place++)
        {
            stageOf[place] = stages.StageOf(place);
            endOf[place] = stages.EndOf(place);
            measuredIn[place] = stages.MeasuredIn(place);
        }
        Place();
        LeastElements = pool.Threads == 1 ? regions[0].PeakAlive : LeastAlive();
        Arena = new AlignedMemory<T>(checked(regions.Sum(region => region.Length)));
        Indices = new AlignedMemory<int>(IndexLength);
        Kernels = new ExecutionPlan<T>.Kernel[Schedule.Count];
        Bind();
    }

    public NodeSchedule Schedule { get; }

    public WorkerPool Pool { get; }

    public ParameterStore<T> Store => store;

    /// <summary>The most elements that are alive at once when one kernel runs after the other.</summary>
    public int LeastElements { get; }

    public AlignedMemory<T> Arena { get; }

    public AlignedMemory<int> Indices { get; }

    /// <summary>The tensors of every kernel, whole, and those of its parts; see <see cref="ExecutionPlan{T}.Kernel"/>.</summary>
    public TensorBinding<T>[] Operands { get; private set; } = [];

    /// <summary>By place in the schedule.</summary>
    public ExecutionPlan<T>.Kernel[] Kernels { get; }

    public StagePlan Stages => stages;

    /// <summary>Gradients that could not be written straight into the store; copied after every run.</summary>
    public (Buffer<T> From, Buffer<T> To)[] GradientCopies { get; private set; } = [];

    /// <summary>Running statistics; copied after training steps only.</summary>
    public (Buffer<T> From, Buffer<T> To)[] Updates { get; private set; } = [];

    /// <summary>The kernels that write a parameter's gradient into the store in a stage in which nobody reads the parameter any more.</summary>
    public List<(int Kernel, string Parameter)> LastGradients { get; } = [];

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
            int number = Schedule.NumberOf(gradient);
            if (gradient.Node.Op is not Source && !gradient.Node.Op.IsView && gradientSlots[number] is null)
            {
                gradientSlots[number] = slice;
            }
            else
            {
                copiedGradients.Add((gradient, slice));
                wanted[number] = true;
            }
        }
    }

    /// <summary>The values that have no other memory.</summary>
    private bool[] InArena()
    {
        bool[] own = new bool[Schedule.Values];
        for (int number = 0; number < own.Length; number++)
        {
            own[number] = Schedule.Nodes[Schedule.WriterOf(number)].Op is not Parameter && gradientSlots[number] is null && !Schedule.IsView(number);
        }
        return own;
    }

    /// <summary>
    /// Gives every tensor its place. What runs in one stage runs at the same time or in any order, so a tensor lives from
    /// the beginning of the stage that writes it, or its first part, to the end of the last one that reads it.
    /// </summary>
    private void Place()
    {
        int[] reading = new int[Schedule.Count];
        for (int place = 0; place < reading.Length; place++)
        {
            reading[place] = Schedule.Nodes[place].Op.IsView ? Math.Max(endOf[place], measuredIn[place]) : endOf[place];
        }
        int[] lastRead = LastReads(reading);
        InPlaceOutputs inPlace = InPlace(stageOf, endOf, measuredIn, lastRead);
        FindLastGradients(lastRead);
        int[] ends = Ends(inPlace, lastRead);
        // Inputs are written before the first node runs, so they get memory that nothing else uses.
        for (int place = 0; place < Schedule.Count; place++)
        {
            int number = Schedule.FirstOutput(place);
            if (Schedule.Nodes[place].Op is Input && Schedule.KindOf(number) == ElementKind.Real)
            {
                offsets[number] = regions[0].Place(Schedule.ShapeOf(number).Elements, 0, int.MaxValue);
            }
        }
        foreach (int place in NodeSchedule.ByTurn(stageOf))
        {
            for (int output = 0; output < Schedule.Outputs(place); output++)
            {
                Place(Schedule.FirstOutput(place) + output, place, inPlace, ends);
            }
        }
        Join(inPlace);
    }

    private MemoryPlan RegionOf(int place) => regions[1 + stages.LaneOf(place)];

    /// <summary>Puts the regions behind each other.</summary>
    private void Join(InPlaceOutputs inPlace)
    {
        for (int number = 0; number < offsets.Length; number++)
        {
            if (inArena[number] && Schedule.KindOf(number) == ElementKind.Real)
            {
                int writer = Schedule.WriterOf(inPlace.MemoryOf(number));
                for (int before = Schedule.Nodes[writer].Op is Input ? 0 : 1 + stages.LaneOf(writer); before > 0; before--)
                {
                    offsets[number] += regions[before - 1].Length;
                }
            }
        }
    }

    private void Place(int number, int place, InPlaceOutputs inPlace, int[] ends)
    {
        if (!inArena[number])
        {
            return;
        }
        int elements = Schedule.ShapeOf(number).Elements;
        if (Schedule.KindOf(number) == ElementKind.Index)
        {
            offsets[number] = IndexLength;
            IndexLength += elements;
        }
        else if (Schedule.Nodes[place].Op is not Input)
        {
            offsets[number] = inPlace.Contains(number) ? offsets[inPlace.MemoryOf(number)] : RegionOf(place).Place(elements, stageOf[place], ends[number]);
        }
    }

    private void FindLastGradients(int[] lastRead)
    {
        Dictionary<string, int> parameters = [];
        for (int place = 0; place < Schedule.Count; place++)
        {
            if (Schedule.Nodes[place].Op is Parameter)
            {
                parameters.Add(Schedule.Nodes[place].Name, Schedule.FirstOutput(place));
            }
        }
        for (int place = 0; place < Schedule.Count; place++)
        {
            // One that writes several gradients would have to wait for the last reader of any of them.
            if (Schedule.Outputs(place) == 1 && gradientSlots[Schedule.FirstOutput(place)] is { Trainable: true } slice
                && parameters.TryGetValue(slice.Name, out int parameter) && !wanted[parameter] && lastRead[parameter] < stageOf[place])
            {
                LastGradients.Add((place, slice.Name));
            }
        }
    }

    /// <summary>The last stage that wants each piece of memory, on behalf of whatever lies in it one after the other.</summary>
    private int[] Ends(InPlaceOutputs inPlace, int[] lastRead)
    {
        int[] ends = new int[Schedule.Values];
        for (int number = 0; number < ends.Length; number++)
        {
            if (inArena[number])
            {
                int place = Schedule.WriterOf(number), memory = inPlace.MemoryOf(number);
                int end = wanted[number] ? int.MaxValue : lastRead[number] >= 0 ? lastRead[number] : endOf[place];
                ends[memory] = Math.Max(ends[memory], Math.Max(end, measuredIn[place]));
            }
        }
        return ends;
    }

    /// <summary>What may be written where an input lies, if the nodes run in these turns.</summary>
    private InPlaceOutputs InPlace(int[] turns, int[] ends, int[] measured, int[] lastRead)
    {
        bool[] hasPlace = new bool[Schedule.Values], isFree = new bool[Schedule.Values];
        for (int number = 0; number < hasPlace.Length; number++)
        {
            hasPlace[number] = inArena[number] && Schedule.Nodes[Schedule.WriterOf(number)].Op is not Input;
            isFree[number] = hasPlace[number] && !wanted[number];
        }
        return new InPlaceOutputs(Schedule, turns, ends, measured, lastRead, isFree, hasPlace);
    }

    /// <summary>The most elements that would be alive at once if one kernel ran after the other.</summary>
    private int LeastAlive()
    {
        int[] turns = new int[Schedule.Count], never = new int[Schedule.Count];
        for (int place = 0; place < turns.Length; place++)
        {
            (turns[place], never[place]) = (place, -1);
        }
        int[] lastRead = LastReads(turns);
        InPlaceOutputs inPlace = InPlace(turns, turns, never, lastRead);
        long[] change = new long[Schedule.Count + 1];
        for (int number = 0; number < Schedule.Values; number++)
        {
            if (!inArena[number] || Schedule.KindOf(number) != ElementKind.Real)
            {
                continue;
            }
            int place = Schedule.WriterOf(number);
            bool input = Schedule.Nodes[place].Op is Input;
            int size = MemoryPlan.Rounded(Schedule.ShapeOf(number).Elements);
            int end = input || wanted[number] ? int.MaxValue : lastRead[number] >= 0 ? lastRead[number] : place;
            // What lies where an input did takes over from it.
            int begin = input ? 0 : inPlace.Contains(number) ? place + 1 : place;
            change[begin] += size;
            change[Math.Max(Math.Min(end, Schedule.Count - 1) + 1, begin)] -= size;
        }
        long alive = 0, most = 0;
        foreach (long difference in change.AsSpan(0, Schedule.Count))
        {
            alive += difference;
            most = Math.Max(most, alive);
        }
        return checked((int)most);
    }

    /// <summary>The last turn in which each value is read, given each node's; −1 for none. Reading a view reads what it looks at.</summary>
    private int[] LastReads(int[] turns)
    {
        int[] last = new int[Schedule.Values];
        Array.Fill(last, -1);
        for (int place = Schedule.Count - 1; place >= 0; place--)
        {
            Node node = Schedule.Nodes[place];
            int first = Schedule.FirstOutput(place);
            ReadOnlySpan<int> inputs = Schedule.Inputs(place);
            for (int k = 0; k < inputs.Length; k++)
            {
                int use = !node.Op.IsView || k > 0 ? turns[place] : wanted[first] ? int.MaxValue : Math.Max(turns[place], last[first]);
                last[inputs[k]] = Math.Max(Math.Max(use, 0), last[inputs[k]]);
            }
            foreach ((int _, int output) in UpdatesOf(node))
            {
                last[first + output] = int.MaxValue;
            }
        }
        return last;
    }

    private void Bind()
    {
        int[] firstPart = PlaceParts(out int total);
        Operands = new TensorBinding<T>[total];
        List<(Buffer<T>, Buffer<T>)> updates = [];
        for (int place = 0; place < Schedule.Count; place++)
        {
            Node node = Schedule.Nodes[place];
            ReadOnlySpan<int> inputs = Schedule.Inputs(place);
            int first = FirstOperand(place), results = first + inputs.Length;
            for (int k = 0; k < inputs.Length; k++)
            {
                Operands[first + k] = BindingOf(inputs[k]);
            }
            for (int output = 0; output < Schedule.Outputs(place); output++)
            {
                Operands[results + output] = Create(Schedule.FirstOutput(place) + output, place);
            }
            bool runs = node.Op is not (Parameter or Input);
            Kernels[place] = new ExecutionPlan<T>.Kernel(node, runs ? RandomKey.StreamOf((node.Repeats ?? node).Name) : 0, first, inputs.Length, Schedule.Outputs(place), firstPart[place], Schedule.FirstOutput(place));
            if (runs)
            {
                foreach ((int input, int output) in UpdatesOf(node))
                {
                    updates.Add((Operands[results + output].Real, Operands[first + input].Real));
                }
                ScratchElements = Math.Max(ScratchElements, node.Op.ScratchElements(Schedule.InputShapes(place), Schedule.OutputShapes(place)));
            }
        }
        foreach (StageCall call in stages.Calls)
        {
            BindPart(call);
        }
        GradientCopies = [.. copiedGradients.Select(copy => (BindingOf(Schedule.NumberOf(copy.From)).Real, store.Gradient(copy.To)))];
        Updates = [.. updates];
    }

    /// <summary>Running statistics see a batch once, however often a node is computed.</summary>
    private static ImmutableArray<(int Input, int Output)> UpdatesOf(Node node) => node.Repeats is null ? node.Op.Updates : [];

    /// <summary>Where a node's tensors begin among the operands: inputs, then outputs, node by node.</summary>
    private int FirstOperand(int place) => Schedule.FirstInput(place) + Schedule.FirstOutput(place);

    private TensorBinding<T> BindingOf(int number)
    {
        int writer = Schedule.WriterOf(number);
        return Operands[FirstOperand(writer) + Schedule.Inputs(writer).Length + number - Schedule.FirstOutput(writer)];
    }

    private TensorBinding<T> Create(int number, int place)
    {
        BoundShape shape = Schedule.ShapeOf(number);
        if (Schedule.KindOf(number) == ElementKind.Index)
        {
            return new TensorBinding<T>(default, Indices.Buffer.Slice(offsets[number], shape.Elements), shape.Extents);
        }
        Buffer<T> memory = Schedule.Nodes[place].Op is Parameter ? store.Value(store.Find(Schedule.Nodes[place].Name))
            : Schedule.IsView(number) ? Operands[FirstOperand(place)].Real
            : gradientSlots[number] is { } slice ? store.Gradient(slice)
            : Arena.Buffer.Slice(offsets[number], shape.Elements);
        return new TensorBinding<T>(memory, default, shape.Extents);
    }

    /// <summary>Where the tensors of the parts of each kernel begin among the operands, behind the whole ones.</summary>
    private int[] PlaceParts(out int total)
    {
        int[] first = new int[Schedule.Count];
        total = Schedule.Reads + Schedule.Values;
        foreach (StageCall call in stages.Calls)
        {
            if (call is { Parts: > 1, Part: 0 })
            {
                first[call.Kernel] = total;
                total += call.Parts * (Schedule.Inputs(call.Kernel).Length + Schedule.Outputs(call.Kernel));
            }
        }
        return first;
    }

    /// <summary>The samples of one part; all of a tensor that has no batch axis.</summary>
    private void BindPart(StageCall call)
    {
        if (call.Parts == 1)
        {
            return;
        }
        ref readonly ExecutionPlan<T>.Kernel kernel = ref Kernels[call.Kernel];
        ReadOnlySpan<int> inputs = Schedule.Inputs(call.Kernel);
        int start = (int)((long)Schedule.Batch * call.Part / call.Parts);
        int samples = (int)((long)Schedule.Batch * (call.Part + 1) / call.Parts) - start;
        int first = kernel.FirstOperand(call);
        for (int k = 0; k < kernel.Inputs + kernel.Outputs; k++)
        {
            BoundShape shape = Schedule.ShapeOf(k < inputs.Length ? inputs[k] : kernel.FirstOutput + k - inputs.Length);
            TensorBinding<T> whole = Operands[kernel.First + k];
            int each = shape.ElementsPerSample;
            Operands[first + k] = !shape.HasBatch ? whole : new TensorBinding<T>(
                whole.Real.IsEmpty ? default : whole.Real.Slice(start * each, samples * each),
                whole.Index.IsEmpty ? default : whole.Index.Slice(start * each, samples * each),
                shape.OfSamples(samples));
        }
    }
}
