using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;

namespace Fathom.Training;

/// <summary>A tensor outside of any plan, row-major.</summary>
/// <param name="Shape">Extents; empty for a scalar.</param>
/// <param name="Elements">The elements.</param>
public sealed record TracedTensor(int[] Shape, float[] Elements);

/// <summary>A layer's output, and the gradient of the loss by it; null if none reaches it.</summary>
public sealed record TracedLayer(Node Layer, TracedTensor Output, TracedTensor? Gradient);

/// <summary>One forward and one backward pass over one batch, with every tensor kept.</summary>
public sealed record BatchTrace
{
    public required double Loss { get; init; }

    /// <summary>The layers in graph order.</summary>
    public required IReadOnlyList<TracedLayer> Layers { get; init; }

    /// <summary>
    /// Further outputs that are there to be read, by name: <c>attention</c>, or <c>layer.attention</c> if several layers
    /// have one.
    /// </summary>
    public required IReadOnlyDictionary<string, TracedTensor> Readings { get; init; }

    /// <summary>Gradients of the trainable parameters by name, each in the shape in which its weights came.</summary>
    public required IReadOnlyDictionary<string, TracedTensor> ParameterGradients { get; init; }

    /// <summary>
    /// What the step leaves in the parameters that it assigns to, such as running statistics, by name; empty in evaluation.
    /// </summary>
    public required IReadOnlyDictionary<string, TracedTensor> NewStatistics { get; init; }

    /// <summary>For each recurrent layer by name, the total gradient by its state after each time step: (T, N, units).</summary>
    public required IReadOnlyDictionary<string, TracedTensor> StateGradients { get; init; }

    /// <summary>Gradient by the input; null if the input is not real.</summary>
    public required TracedTensor? InputGradient { get; init; }

    /// <summary>Runs the passes.</summary>
    /// <param name="model">Network and loss, with its class weights unless they are to balance training data.</param>
    /// <param name="weights">Every parameter and running statistic by name.</param>
    /// <param name="batch">Samples in the batch.</param>
    /// <param name="input">The batch, (samples × elements per sample).</param>
    /// <param name="target">Targets in the form that the loss wants: class indices as numbers, or values.</param>
    /// <param name="pool">Workers.</param>
    /// <param name="training">Whether layers behave as in training.</param>
    /// <exception cref="TrainingException">Weights are missing or do not fit.</exception>
    public static BatchTrace Run(ModelDefinition model, IReadOnlyDictionary<string, TracedTensor> weights, int batch,
        ReadOnlySpan<float> input, ReadOnlySpan<float> target, WorkerPool pool, bool training)
    {
        TrainingGraph graph = TrainingGraph.Build(model.Graph, model.Plan.Loss, inputGradient: true, model.Plan.ClassWeights is { IsBalanced: false } classes ? classes.Numbers : null);
        using ParameterStore<float> store = new(graph.Graph);
        Load(store, weights);
        Node[] layers = [.. model.Graph.Nodes.Where(node => node.Op is not Source && node.Outputs[0].Kind == ElementKind.Real)];
        List<Value> wanted = [graph.Loss, graph.Prediction, .. layers.Select(layer => layer.Output)];
        wanted.AddRange(layers.Select(layer => layer.Output).Append(graph.Input).Where(graph.Gradients.ContainsKey).Select(value => graph.Gradients[value]));
        Dictionary<string, Value> readings = Readable(layers);
        wanted.AddRange(readings.Values);
        wanted.AddRange(graph.ParameterGradients.Values);
        wanted.AddRange(graph.StateGradients.Values);
        using ExecutionPlan<float> plan = ExecutionPlan<float>.Create(graph.Graph, batch, store, pool, [.. wanted.Distinct()]);
        Fill(plan, graph.Input, input);
        Fill(plan, graph.Target, target);
        plan.Run(training, model.Plan.Seed, 0);
        return new BatchTrace
        {
            Loss = plan.Real(graph.Loss).Span[0],
            Layers = [.. layers.Select(layer => new TracedLayer(layer, Copy(plan, layer.Output), Gradient(plan, graph, layer.Output)!))],
            Readings = readings.ToDictionary(pair => pair.Key, pair => Copy(plan, pair.Value)),
            ParameterGradients = graph.ParameterGradients.ToDictionary(pair => pair.Key, pair => Copy(plan, pair.Value) with { Shape = weights[pair.Key].Shape }),
            NewStatistics = training ? Statistics(model.Graph, store) : new Dictionary<string, TracedTensor>(),
            StateGradients = layers.Where(graph.StateGradients.ContainsKey).ToDictionary(layer => layer.Name, layer => Copy(plan, graph.StateGradients[layer])),
            InputGradient = Gradient(plan, graph, graph.Input),
        };
    }

    /// <summary>The plan has written them into the store, as it does after every training step.</summary>
    private static Dictionary<string, TracedTensor> Statistics(Graph graph, ParameterStore<float> store) =>
        graph.Nodes.SelectMany(node => node.Op.Updates.Select(update => node.Inputs[update.Input].Node.Name)).Distinct()
            .Select(store.Find).ToDictionary(slice => slice.Name, slice => new TracedTensor(slice.Shape.Bind(1), store.Value(slice).Span.ToArray()));

    private static Dictionary<string, Value> Readable(Node[] layers)
    {
        (Node Layer, int Output, string Name)[] all = [.. layers.SelectMany(layer => layer.Op.Readings.Select(reading => (layer, reading.Output, reading.Name)))];
        ILookup<string, Node> byName = all.ToLookup(reading => reading.Name, reading => reading.Layer);
        return all.ToDictionary(reading => byName[reading.Name].Count() == 1 ? reading.Name : $"{reading.Layer.Name}.{reading.Name}", reading => new Value(reading.Layer, reading.Output));
    }

    private static TracedTensor? Gradient(ExecutionPlan<float> plan, TrainingGraph graph, Value value) =>
        graph.Gradients.TryGetValue(value, out Value gradient) ? Copy(plan, gradient) : null;

    private static TracedTensor Copy(ExecutionPlan<float> plan, Value value) => new(value.Shape.Bind(plan.Batch), plan.Real(value).Span.ToArray());

    private static void Fill(ExecutionPlan<float> plan, Value value, ReadOnlySpan<float> elements)
    {
        if (value.Type.Kind == ElementKind.Real)
        {
            elements.CopyTo(plan.Real(value).Span);
            return;
        }
        Span<int> indices = plan.Index(value).Span;
        for (int i = 0; i < indices.Length; i++)
        {
            indices[i] = (int)elements[i];
        }
    }

    /// <summary>Copies weights into a network's parameters, all of which they must name.</summary>
    /// <param name="store">The parameters.</param>
    /// <param name="weights">Every parameter and running statistic by name.</param>
    /// <exception cref="TrainingException">Weights are missing, unknown or of another shape; nothing has changed then.</exception>
    public static void Load(ParameterStore<float> store, IReadOnlyDictionary<string, TracedTensor> weights)
    {
        string[] missing = [.. store.Slices.Where(slice => !weights.ContainsKey(slice.Name)).Select(slice => $"{slice.Name} {slice.Shape}")];
        string[] unknown = [.. weights.Keys.Where(name => !store.Has(name))];
        string[] misfits = [.. store.Slices.Where(slice => weights.TryGetValue(slice.Name, out TracedTensor? tensor) && !Fits(tensor.Shape, slice))
            .Select(slice => $"{slice.Name} is ({string.Join(", ", weights[slice.Name].Shape)}), the network's is {slice.Shape}")];
        string[] problems = [.. Listed("missing", missing), .. Listed("unknown", unknown), .. Listed("of another shape", misfits)];
        if (problems.Length > 0)
        {
            throw new TrainingException($"the weights do not fit the network: {string.Join("; ", problems)}");
        }
        foreach (ParameterSlice slice in store.Slices)
        {
            weights[slice.Name].Elements.CopyTo(store.Value(slice).Span);
        }
    }

    /// <summary>A vector takes as many elements in any shape: PyTorch keeps those of a LayerNorm in the shape of its axes.</summary>
    private static bool Fits(int[] shape, ParameterSlice slice) => shape.AsSpan().SequenceEqual(slice.Shape.Bind(1))
        || (slice.Shape.Rank == 1 && shape.Length > 1 && shape.Aggregate(1L, (product, extent) => product * extent) == slice.Length);

    private static IEnumerable<string> Listed(string what, string[] names) =>
        names.Length == 0 ? [] : [$"{what}: {string.Join(", ", names.Take(20))}{(names.Length > 20 ? $" and {names.Length - 20} more" : "")}"];
}
