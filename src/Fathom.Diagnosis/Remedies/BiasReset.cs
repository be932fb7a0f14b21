using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Starts the biases of dense layers and convolutions at 0; the weights are drawn as before.</summary>
public sealed class BiasReset : Remedy
{
    public override string Kind => "bias";

    public override Safety Safety => Safety.Reinitializes;

    public override string Precondition => "dense layers or convolutions whose biases start elsewhere than at 0; gates keep theirs";

    public override string Effect => "a bias far below 0 keeps a ReLU at 0 for every sample, a large one saturates a sigmoid: from 0 half of the samples are on either side";

    public override string Source => "He et al. 2015, section 2.2; Glorot and Bengio 2010";

    protected override ImmutableArray<string>? MadeFor => [Causes.DeadRelu, Causes.Saturation, Causes.BadInitialization];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (Offset(model.Graph).Count > 0)
        {
            yield return new Prescription(this, "biases from 0", Rewrite);
        }
    }

    internal static ModelDefinition Rewrite(ModelDefinition model)
    {
        HashSet<Node> offset = Offset(model.Graph);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => offset.Contains(node)
                ? rewriter.Copy(node, initializer: (slot, old) => slot == "bias" ? ConstantInitializer.Zeros : old)
                : null),
        };
    }

    private static HashSet<Node> Offset(Graph graph) => new(graph.Nodes.Where(node => HiddenLayers.IsWeighted(node)
        && HiddenLayers.InitializerOf(node, "bias") is { } bias && !bias.Equals(ConstantInitializer.Zeros) && !HiddenLayers.OpensGate(graph, node)), ReferenceEqualityComparer.Instance);
}
