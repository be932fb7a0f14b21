using System.Numerics;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Training.Execution;

namespace Fathom.Testing;

/// <summary>
/// Runs a small graph forward and backward on given tensors, in float or double: the base of reference runs and
/// gradient checks. Every real tensor is a parameter of the graph, so that its gradient can be asked for.
/// </summary>
public sealed class GraphRun<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly GraphBuilder builder = new();
    private readonly Dictionary<string, T[]> tensors = [];
    private readonly Dictionary<string, int[]> indexTensors = [];
    private readonly Dictionary<string, Value> outputs = [];
    private readonly Dictionary<string, (Value Value, T[] Upstream)> upstream = [];

    public GraphBuilder Builder => builder;

    public Dictionary<string, Value> Inputs { get; } = [];

    public Dictionary<string, T[]> Results { get; } = [];

    /// <summary>Gradients by input name, after <see cref="Execute"/>.</summary>
    public Dictionary<string, T[]> Gradients { get; } = [];

    public bool Training { get; init; } = true;

    /// <summary>Further values of the graph with its backward pass whose elements are wanted among the results.</summary>
    public Func<Graph, IEnumerable<(string Name, Value Value)>>? Watch { get; init; }

    public Value Real(string name, ReadOnlySpan<int> shape, IEnumerable<T> values)
    {
        tensors[name] = [.. values];
        Dim[] dims = new Dim[shape.Length];
        for (int i = 0; i < dims.Length; i++)
        {
            dims[i] = shape[i];
        }
        return Inputs[name] = builder.Parameter(name, Shape.Of(dims), ConstantInitializer.Zeros);
    }

    public Value Index(string name, ReadOnlySpan<int> shape, IEnumerable<int> values)
    {
        indexTensors[name] = [.. values];
        Dim[] dims = new Dim[shape.Length];
        for (int i = 0; i < dims.Length; i++)
        {
            dims[i] = shape[i];
        }
        return Inputs[name] = builder.Input(name, new TensorType(Shape.Of(dims), ElementKind.Index));
    }

    /// <summary>Asks for a value; with an upstream gradient, gradients are computed from it.</summary>
    public void Output(string name, Value value, IEnumerable<T>? gradient = null)
    {
        outputs[name] = value;
        if (gradient is not null)
        {
            upstream[name] = (value, [.. gradient]);
        }
    }

    public void Execute(IReadOnlyCollection<string>? gradientsOf = null, int threads = 1)
    {
        Dictionary<Value, Value> seeds = [];
        foreach ((string name, (Value value, T[] gradient)) in upstream)
        {
            tensors["upstream." + name] = gradient;
            seeds[value] = builder.Parameter("upstream." + name, value.Shape, ConstantInitializer.Zeros, trainable: false);
        }
        Graph graph = builder.Build([.. outputs.Values]);
        Dictionary<string, Value> parameterGradients = [];
        if (gradientsOf is { Count: > 0 } && seeds.Count > 0)
        {
            DifferentiatedGraph differentiated = Autodiff.Differentiate(graph, seeds, gradientsOf.Select(name => Inputs[name]));
            graph = differentiated.Graph;
            foreach (string name in gradientsOf)
            {
                if (differentiated.Gradients.TryGetValue(Inputs[name], out Value gradient))
                {
                    parameterGradients[name] = gradient;
                }
            }
        }
        foreach ((string name, Value value) in Watch?.Invoke(graph) ?? [])
        {
            outputs[name] = value;
        }
        using WorkerPool pool = new(threads);
        using ParameterStore<T> store = new(graph);
        using ExecutionPlan<T> plan = ExecutionPlan<T>.Create(graph, 1, store, pool, [.. outputs.Values], parameterGradients);
        Fill(store, plan);
        plan.Run(Training, seed: 1, step: 0);
        Collect(store, plan, parameterGradients, gradientsOf ?? []);
    }

    private void Fill(ParameterStore<T> store, ExecutionPlan<T> plan)
    {
        foreach ((string name, T[] values) in tensors)
        {
            values.CopyTo(store.Value(store.Find(name)).Span);
        }
        foreach ((string name, int[] values) in indexTensors)
        {
            values.CopyTo(plan.Index(Inputs[name]).Span);
        }
    }

    private void Collect(ParameterStore<T> store, ExecutionPlan<T> plan, Dictionary<string, Value> gradients, IReadOnlyCollection<string> wanted)
    {
        foreach ((string name, Value value) in outputs)
        {
            Results[name] = value.Type.Kind == ElementKind.Real
                ? plan.Real(value).Span.ToArray()
                : [.. plan.Index(value).Span.ToArray().Select(T.CreateChecked)];
        }
        foreach (string name in wanted)
        {
            // No path from the outputs: the gradient is 0.
            Gradients[name] = gradients.ContainsKey(name) ? store.Gradient(store.Find(name)).Span.ToArray() : new T[tensors[name].Length];
        }
    }
}
