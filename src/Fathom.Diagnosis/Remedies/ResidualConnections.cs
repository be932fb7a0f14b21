using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Adds each hidden block's input to its output where their shapes agree (He et al. 2016).</summary>
public sealed class ResidualConnections : Remedy
{
    public override string Kind => "residual";

    public override Safety Safety => Safety.ChangesStructure;

    public override string Effect => "the identity path carries the gradient back with factor 1 past every block";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, IReadOnlyList<Finding> findings)
    {
        bool already = model.Graph.Nodes.Any(node => node.Op is Add or GatedSum);
        if (!already && Blocks(model.Graph).Count >= 2)
        {
            yield return new Prescription(this, "residual connection around each block", Rewrite);
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model)
    {
        Dictionary<Node, Value> blocks = Blocks(model.Graph);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => blocks.TryGetValue(node, out Value start)
                ? rewriter.Builder.Layer(new Add(), HiddenLayers.FreeName(rewriter, model.Graph, node.Name + "_skip"), [rewriter.Mapped(start), rewriter.Copy(node)])
                : null),
        };
    }

    /// <summary>The last node of each block (its activation) with the value that the block starts from.</summary>
    private static Dictionary<Node, Value> Blocks(Graph graph)
    {
        Dictionary<Node, Value> blocks = new(ReferenceEqualityComparer.Instance);
        foreach (Node activation in HiddenLayers.Activations(graph))
        {
            Node node = activation;
            while (!HiddenLayers.IsWeighted(node) && node.DataInputs.Take(2).ToArray() is [{ } before] && HiddenLayers.Readers(graph, before.Node).Count() == 1)
            {
                node = before.Node;
            }
            if (HiddenLayers.IsWeighted(node) && node.Inputs[0].Node.Op is not Input && node.Inputs[0].Shape.Equals(activation.Outputs[0].Shape))
            {
                blocks[activation] = node.Inputs[0];
            }
        }
        return blocks;
    }
}
