using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Where a normalization can be put: behind each hidden layer, or behind its function.</summary>
internal static class Normalization
{
    /// <summary>Dense layers and convolutions that a hidden function reads directly.</summary>
    public static IReadOnlyList<Node> Layers(Graph graph)
    {
        HashSet<Node> functions = new(HiddenLayers.Nonlinearities(graph), ReferenceEqualityComparer.Instance);
        LayerReaders readers = new(graph);
        return [.. graph.Nodes.Where(node => HiddenLayers.IsWeighted(node) && readers.Of(node.Output) is [{ } reader] && functions.Contains(reader))];
    }

    /// <summary>Puts a normalization behind each of the layers, or behind the function that reads it.</summary>
    /// <param name="model">The model.</param>
    /// <param name="behindFunction">Whether it comes after the function and not before.</param>
    /// <param name="op">The normalization for a layer.</param>
    public static ModelDefinition Insert(ModelDefinition model, bool behindFunction, Func<Node, Op> op)
    {
        LayerReaders readers = new(model.Graph);
        Dictionary<Node, Node> targets = new(ReferenceEqualityComparer.Instance);
        foreach (Node layer in Layers(model.Graph))
        {
            targets[behindFunction ? readers.Of(layer.Output)[0] : layer] = layer;
        }
        InsertedNames names = new(model.Graph);
        return model with { Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => targets.TryGetValue(node, out Node? layer) ? Behind(rewriter, node, op(layer)) : null) };

        Value Behind(GraphRewriter rewriter, Node node, Op norm)
        {
            string name = names.Next(rewriter, norm, node, "_norm");
            return rewriter.Builder.Layer(norm, name, [rewriter.Copy(node)]);
        }
    }
}
