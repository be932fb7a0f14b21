using System.Collections.Immutable;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs;

/// <summary>A graph with its backward pass in it.</summary>
/// <param name="Graph">The forward nodes, then the gradient nodes; the outputs are the forward graph's.</param>
/// <param name="Gradients">The gradient of the scalar by each value that was asked for or passed on the way.</param>
public sealed record DifferentiatedGraph(Graph Graph, IReadOnlyDictionary<Value, Value> Gradients);

/// <summary>
/// Reverse-mode differentiation as a transformation of graphs: the backward pass is more nodes, which can be printed,
/// planned and watched like any others, and each knows the forward node that it belongs to.
/// </summary>
public static class Autodiff
{
    /// <summary>Appends the gradient of a scalar by the given values.</summary>
    /// <param name="graph">The forward graph.</param>
    /// <param name="scalar">A value of one element, usually the loss.</param>
    /// <param name="wanted">The values to differentiate by; null for every trainable parameter.</param>
    /// <exception cref="GraphException">No scalar; or it depends on an output through which no gradient flows back, such as attention weights.</exception>
    public static DifferentiatedGraph Differentiate(Graph graph, Value scalar, IEnumerable<Value>? wanted = null)
    {
        if (scalar.Shape.Rank != 0)
        {
            throw new GraphException($"{scalar} has shape {scalar.Shape}; only a scalar can be differentiated");
        }
        wanted ??= graph.Parameters.Where(node => ((Parameter)node.Op).Trainable).Select(node => node.Output);
        Sweep sweep = new(graph, [.. wanted]);
        sweep.Seed(scalar);
        return sweep.Run(strict: true);
    }

    /// <summary>
    /// Appends a vector–Jacobian product: the gradient of Σ upstream · value over several values. What arrives at an output
    /// through which no gradient flows back counts for nothing.
    /// </summary>
    /// <param name="graph">The forward graph, in which the upstream gradients are inputs or parameters.</param>
    /// <param name="upstream">The gradient that arrives at each value, of the value's own shape.</param>
    /// <param name="wanted">The values to differentiate by.</param>
    public static DifferentiatedGraph Differentiate(Graph graph, IReadOnlyDictionary<Value, Value> upstream, IEnumerable<Value> wanted)
    {
        Sweep sweep = new(graph, [.. wanted]);
        foreach ((Value value, Value gradient) in upstream)
        {
            sweep.Contribute(value.Node, value, gradient);
        }
        return sweep.Run(strict: false);
    }

    /// <summary>The state of one backward sweep.</summary>
    internal sealed class Sweep
    {
        private readonly Graph graph;
        private readonly GraphBuilder builder;
        private readonly HashSet<Value> needed;
        private readonly Dictionary<Value, List<(Node Reader, Value Gradient)>> contributions = [];
        private readonly Dictionary<Value, Value> gradients = [];

        public Sweep(Graph graph, HashSet<Value> wanted)
        {
            this.graph = graph;
            builder = new GraphBuilder(graph);
            needed = Dependents(graph, wanted);
        }

        public bool Needs(Value value) => needed.Contains(value);

        public Value? GradientOf(Value value) => gradients.TryGetValue(value, out Value gradient) ? gradient : null;

        public void Seed(Value scalar) =>
            contributions[scalar] = [(scalar.Node, builder.Add($"∇{scalar.Name}", new Constant(Shape.Scalar, 1), [], scalar.Node))];

        public Value Emit(Node forward, Op op, string suffix, ReadOnlySpan<Value> inputs) =>
            builder.Add($"∇{forward.Name}.{suffix}", op, inputs, forward);

        public void Contribute(Node reader, Value value, Value gradient)
        {
            if (!gradient.Shape.Equals(value.Shape))
            {
                throw new GraphException($"∇{reader.Name} ({reader.Op.Kind}): expected a gradient of shape {value.Shape} for {value}, given {gradient.Shape}");
            }
            if (!contributions.TryGetValue(value, out List<(Node, Value)>? list))
            {
                contributions[value] = list = [];
            }
            list.Add((reader, gradient));
        }

        /// <param name="strict">Whether a gradient that an op has no use for is an error.</param>
        public DifferentiatedGraph Run(bool strict)
        {
            for (int i = graph.Nodes.Length - 1; i >= 0; i--)
            {
                Node node = graph.Nodes[i];
                bool arrives = false;
                for (int output = 0; output < node.Outputs.Length; output++)
                {
                    arrives |= Settle(new Value(node, output));
                }
                if (arrives && DependsOn(node, needed))
                {
                    GradientScope scope = new(node, this);
                    node.Op.Differentiate(scope);
                    if (strict)
                    {
                        scope.RequireAsked();
                    }
                }
            }
            return new DifferentiatedGraph(builder.Build(graph.Outputs.AsSpan()), gradients);
        }

        /// <summary>All readers have spoken: sum what they contributed.</summary>
        private bool Settle(Value value)
        {
            if (!contributions.TryGetValue(value, out List<(Node Reader, Value Gradient)>? list))
            {
                return false;
            }
            gradients[value] = list.Count == 1
                ? list[0].Gradient
                : builder.Add($"∇{value.Name}.sum", new Add(), [.. list.Select(item => item.Gradient)], value.Node);
            return true;
        }

        private static HashSet<Value> Dependents(Graph graph, HashSet<Value> wanted)
        {
            HashSet<Value> dependents = [.. wanted];
            foreach (Node node in graph.Nodes)
            {
                if (DependsOn(node, dependents))
                {
                    for (int output = 0; output < node.Outputs.Length; output++)
                    {
                        dependents.Add(new Value(node, output));
                    }
                }
            }
            return dependents;
        }

        private static bool DependsOn(Node node, HashSet<Value> values)
        {
            foreach (Value input in node.Inputs)
            {
                if (values.Contains(input))
                {
                    return true;
                }
            }
            return false;
        }
    }
}
