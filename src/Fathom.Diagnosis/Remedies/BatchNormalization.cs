using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Normalises each hidden layer's pre-activations over the batch (Ioffe and Szegedy 2015).</summary>
public sealed class BatchNormalization : Remedy
{
    /// <summary>Batches below this make the statistics too noisy to rely on.</summary>
    private const int SmallestBatch = 8;

    public override string Kind => "batch_norm";

    public override Safety Safety => Safety.ChangesStructure;

    public override string Effect => "pre-activations of mean 0 and variance 1 keep every layer where its activation has slope";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, IReadOnlyList<Finding> findings)
    {
        if (model.Plan.BatchSize >= SmallestBatch && Targets(model.Graph).Count > 0)
        {
            yield return new Prescription(this, "batch norm before each activation", Rewrite);
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model)
    {
        HashSet<Node> targets = Targets(model.Graph);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => targets.Contains(node)
                ? rewriter.Builder.Layer(new BatchNorm(ChannelsLast: HasUnitsLast(node)), HiddenLayers.FreeName(rewriter, model.Graph, node.Name + "_norm"), [rewriter.Copy(node)])
                : null),
        };
    }

    /// <summary>Whether the units are the last axis and not the second, as those of a dense layer over sequences are.</summary>
    private static bool HasUnitsLast(Node layer) => layer.Op is ConvolutionOp { ChannelsLast: true } || (layer.Op is Dense && layer.Outputs[0].Shape.Rank > 2);

    /// <summary>Dense layers and convolutions that an activation reads directly.</summary>
    private static HashSet<Node> Targets(Graph graph) => new(
        graph.Nodes.Where(node => HiddenLayers.IsWeighted(node) && HiddenLayers.Readers(graph, node).ToArray() is [{ Op: Activation and not Linear } reader] && HiddenLayers.Activations(graph).Contains(reader)),
        ReferenceEqualityComparer.Instance);
}
