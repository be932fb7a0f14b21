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
        Sweep sweep = new(graph, wanted);
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
        Sweep sweep = new(graph, wanted);
        foreach ((Value value, Value gradient) in upstream)
        {
            sweep.Contribute(value.Node, value, gradient);
        }
        return sweep.Run(strict: false);
    }

    /// <summary>The state of one backward sweep. Values of the forward graph go by number: the nodes' outputs, counted through.</summary>
    internal sealed class Sweep
    {
        private readonly Graph graph;
        private readonly GraphBuilder builder;
        private readonly int[] firstOutput;
        private readonly bool[] needed;
        private readonly Contributions[] contributions;
        private readonly Dictionary<Value, Value> gradients;

        public Sweep(Graph graph, IEnumerable<Value> wanted)
        {
            this.graph = graph;
            firstOutput = new int[graph.Nodes.Length + 1];
            for (int place = 0; place < graph.Nodes.Length; place++)
            {
                firstOutput[place + 1] = firstOutput[place] + graph.Nodes[place].Outputs.Length;
            }
            builder = new GraphBuilder(graph, extra: 2 * graph.Nodes.Length);
            needed = Dependents(wanted);
            contributions = new Contributions[firstOutput[^1]];
            gradients = new Dictionary<Value, Value>(firstOutput[^1]);
        }

        public bool Needs(Value value) => NumberOf(value) is >= 0 and int number && needed[number];

        public Value? GradientOf(Value value) => NumberOf(value) is >= 0 and int number ? contributions[number].Sum : null;

        public void Seed(Value scalar) =>
            contributions[NumberOf(scalar)].Add(builder.Add($"∇{scalar.Name}", new Constant(Shape.Scalar, 1), [], scalar.Node));

        public Value Emit(Node forward, Op op, string suffix, ReadOnlySpan<Value> inputs) =>
            builder.Add(string.Concat("∇", forward.Name, ".", suffix), op, inputs, forward);

        public void Contribute(Node reader, Value value, Value gradient)
        {
            if (!gradient.Shape.Equals(value.Shape))
            {
                throw new GraphException($"∇{reader.Name} ({reader.Op.Kind}): expected a gradient of shape {value.Shape} for {value}, given {gradient.Shape}");
            }
            if (NumberOf(value) is >= 0 and int number)
            {
                contributions[number].Add(gradient);
            }
        }

        /// <param name="strict">Whether a gradient that an op has no use for is an error.</param>
        public DifferentiatedGraph Run(bool strict)
        {
            for (int place = graph.Nodes.Length - 1; place >= 0; place--)
            {
                Node node = graph.Nodes[place];
                bool arrives = false;
                for (int output = 0; output < node.Outputs.Length; output++)
                {
                    arrives |= Settle(new Value(node, output), ref contributions[firstOutput[place] + output]);
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
        private bool Settle(Value value, ref Contributions contributed)
        {
            if (contributed.First is not { } first)
            {
                return false;
            }
            contributed.Sum = contributed.Others is not { } others
                ? first
                : builder.Add($"∇{value.Name}.sum", new Add(), [first, .. others], value.Node);
            gradients.Add(value, contributed.Sum.Value);
            return true;
        }

        /// <summary>By number, whether a value depends on one that is wanted, or is wanted itself.</summary>
        private bool[] Dependents(IEnumerable<Value> wanted)
        {
            bool[] dependents = new bool[firstOutput[^1]];
            foreach (Value value in wanted)
            {
                if (NumberOf(value) is >= 0 and int number)
                {
                    dependents[number] = true;
                }
            }
            for (int place = 0; place < graph.Nodes.Length; place++)
            {
                if (DependsOn(graph.Nodes[place], dependents))
                {
                    dependents.AsSpan(firstOutput[place]..firstOutput[place + 1]).Fill(true);
                }
            }
            return dependents;
        }

        private bool DependsOn(Node node, bool[] values)
        {
            foreach (Value input in node.Inputs)
            {
                if (values[NumberOf(input)])
                {
                    return true;
                }
            }
            return false;
        }

        private int NumberOf(Value value) => graph.PlaceOf(value.Node) is >= 0 and int place ? firstOutput[place] + value.Index : -1;

        /// <summary>What the readers of a value have said about its gradient. Nearly all have one reader.</summary>
        private struct Contributions
        {
            public Value? First { get; private set; }

            public List<Value>? Others { get; private set; }

            public Value? Sum { get; set; }

            public void Add(Value gradient)
            {
                if (First is null)
                {
                    First = gradient;
                }
                else
                {
                    (Others ??= []).Add(gradient);
                }
            }
        }
    }
}
