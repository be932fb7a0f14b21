using Fathom.Compute;
using Fathom.Graphs;

namespace Fathom.Diagnosis.Preflight;

/// <summary>The Jacobian of a layer range at the values of a run, over its whole batch, as products with vectors.</summary>
internal sealed class RangeJacobian : ILinearMap, IDisposable
{
    private readonly Float64Run run;
    private readonly TangentPass tangents;
    private readonly Node[] backward;
    private readonly Value upstream;
    private readonly Value? gradient;

    /// <param name="graph">The forward graph, which the run has been through up to the range's end.</param>
    /// <param name="run">The run.</param>
    /// <param name="range">From where to where.</param>
    public RangeJacobian(Graph graph, Float64Run run, LayerRange range)
    {
        this.run = run;
        tangents = new TangentPass(run, graph, range);
        GraphBuilder builder = new(graph);
        upstream = builder.Input("⟨upstream⟩", range.To.Type);
        DifferentiatedGraph differentiated = Autodiff.Differentiate(builder.Build(range.To), new Dictionary<Value, Value> { [range.To] = upstream }, [range.From]);
        gradient = differentiated.Gradients.TryGetValue(range.From, out Value found) ? found : null;
        HashSet<Node> forward = new(graph.Nodes, ReferenceEqualityComparer.Instance);
        backward = gradient is { } value ? [.. NeededNodes.For(differentiated.Graph, [value]).Where(node => !forward.Contains(node))] : [];
        Columns = range.From.Shape.Elements(run.Batch);
        Rows = range.To.Shape.Elements(run.Batch);
    }

    public int Columns { get; }

    public int Rows { get; }

    public void Multiply(ReadOnlySpan<double> x, Span<double> y) => tangents.Multiply(x, y);

    public void MultiplyTransposed(ReadOnlySpan<double> y, Span<double> x)
    {
        if (gradient is not { } value)
        {
            x.Clear();
            return;
        }
        y.CopyTo(run.Real(upstream).Span);
        run.Run(backward);
        run.Real(value).Span.CopyTo(x);
    }

    public void Dispose() => run.Forget(backward.Append(upstream.Node).Distinct());
}
