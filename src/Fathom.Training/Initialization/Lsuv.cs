using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initialization;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;

namespace Fathom.Training.Initialization;

/// <summary>
/// Layer-sequential unit variance (Mishkin and Matas 2016, algorithm 1): orthogonal weights, then layer by layer, from the
/// data on, W ← W / √Var(output) until the variance of the layer's output over the first batch is within the tolerance of
/// 1. It needs no theory of the activations, so it fits any mixture of layers. Dense layers and convolutions; biases at 0.
/// In C# it is two things: <see cref="Apply"/> for the network, and <see cref="TrainingPlan.Initialization"/>.
/// </summary>
/// <param name="Tolerance">Largest |variance − 1| that is left as it is; greater than 0.</param>
/// <param name="Tries">Scalings of one layer at most; at least 1.</param>
public sealed record Lsuv(double Tolerance = 0.1, int Tries = 10) : InitializationRule
{
    private const string Stage = "lsuv";

    public override string Kind => "lsuv";

    /// <summary>The part that needs no data: orthogonal weights, biases at 0.</summary>
    public override Graph Apply(Graph graph)
    {
        Validate();
        return GraphRewriter.Rewrite(graph, (rewriter, node) => WeightLayers.WeightOf(node) is null ? null
            : rewriter.Copy(node, initializer: (slot, old) => slot switch
            {
                WeightLayers.Weight => new Orthogonal(),
                WeightLayers.Bias => ConstantInitializer.Zeros,
                _ => old,
            }));
    }

    /// <exception cref="GraphException">A setting is out of its range.</exception>
    public void Validate()
    {
        if (!(Tolerance > 0 && double.IsFinite(Tolerance)))
        {
            throw Error(FormattableString.Invariant($"tolerance is {Tolerance}; it must be greater than 0 and finite"));
        }
        if (Tries < 1)
        {
            throw Error($"tries is {Tries}; it must be 1 or more");
        }
    }

    /// <summary>The part that needs data: scales the weights in the session's store. False if it was interrupted.</summary>
    internal bool Run(PreparationScope scope)
    {
        HashSet<Node> seen = [];
        (Node Layer, ParameterSlice Weight)[] layers =
        [
            .. scope.Model.Graph.Nodes.Where(node => WeightLayers.WeightOf(node) is { Op: Parameter { Trainable: true } } weight && seen.Add(weight))
                .Select(node => (node, scope.Parameters.Find(WeightLayers.WeightOf(node)!.Name))),
        ];
        using ExecutionPlan<float> plan = ExecutionPlan<float>.Create(scope.Graph.Graph, scope.FirstBatch.Length, scope.Parameters, scope.Pool,
            [scope.Graph.Loss, scope.Graph.Prediction, .. layers.Select(layer => layer.Layer.Output)]);
        int scalings = 0;
        for (int i = 0, tries = 0; i < layers.Length;)
        {
            if (scope.Cancellation.IsCancellationRequested)
            {
                return false;
            }
            scope.Feed.Fill(plan, scope.FirstBatch);
            plan.Run(training: false, scope.Seed, 0);
            // Layers that are already in order need no run of their own.
            for (; i < layers.Length; i++, tries = 0)
            {
                double variance = Variance(plan.Real(layers[i].Layer.Output), layers[i].Layer, scope.Pool);
                if (Math.Abs(variance - 1) < Tolerance || tries == Tries)
                {
                    continue;
                }
                Buffer<float> weight = scope.Parameters.Value(layers[i].Weight);
                System.Numerics.Tensors.TensorPrimitives.Multiply<float>(weight.Span, (float)(1 / Math.Sqrt(variance)), weight.Span);
                tries++;
                scalings++;
                break;
            }
            scope.Tell(Stage, Math.Min(0.99, (double)i / layers.Length), "");
        }
        scope.Tell(Stage, 1, $"{layers.Length} layers to unit variance in {scalings} scalings");
        return true;
    }

    private static double Variance(Buffer<float> output, Node layer, WorkerPool pool)
    {
        double mean = Reductions.Sum(output, pool) / output.Length;
        double variance = Reductions.SumOfSquares(output, pool) / output.Length - mean * mean;
        return variance > 0 && double.IsFinite(1 / variance) ? variance : throw new TrainingException(FormattableString.Invariant(
            $"initialization lsuv: the output of {layer.Name} ({layer.Op.Kind}) has the variance {variance:G3} over the first batch; only one that is greater than 0 and finite can be scaled to 1: look at the data, or at what makes the layers before it constant"));
    }
}
