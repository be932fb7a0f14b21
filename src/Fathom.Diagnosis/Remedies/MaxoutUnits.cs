using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Gives each hidden unit two weight vectors and takes the larger result, which always has slope 1 in one of them.</summary>
public sealed class MaxoutUnits : Remedy
{
    private const int Pieces = 2;

    public override string Kind => "maxout";

    public override Safety Safety => Safety.ChangesStructure;

    public override string Precondition => "dense layers that an activation other than maxout reads directly";

    public override string Effect => "the larger of two linear pieces has slope 1 everywhere, so that no unit saturates or dies, for twice the weights of the layer";

    public override string Source => "Goodfellow et al. 2013";

    protected override ImmutableArray<string>? MadeFor => [Causes.DeadRelu];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (Targets(model.Graph).Count > 0)
        {
            yield return new Prescription(this, "maxout of 2 pieces in place of each activation", Rewrite);
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model)
    {
        HashSet<Node> layers = Targets(model.Graph);
        Maxout maxout = new(Pieces);
        // E[max²] of two equal Gaussians is their variance: 1/fan-in keeps the size.
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) =>
                layers.Contains(node) ? rewriter.Copy(node, ((Dense)node.Op) with { Units = Pieces * ((Dense)node.Op).Units },
                    initializer: (slot, _) => slot == "weight" ? VarianceScaling.LeCunNormal : ConstantInitializer.Zeros)
                : node.Op is Activation && layers.Contains(node.Inputs[0].Node) ? rewriter.Copy(node, maxout, name: HiddenLayers.FreeName(rewriter, model.Graph, HiddenLayers.RenamedAfter(node, maxout), node))
                : null),
        };
    }

    private static HashSet<Node> Targets(Graph graph)
    {
        HashSet<Node> functions = new(HiddenLayers.Activations(graph), ReferenceEqualityComparer.Instance);
        LayerReaders readers = new(graph);
        return new(graph.Nodes.Where(node => node.Op is Dense && readers.Of(node.Output) is [{ } reader] && functions.Contains(reader)), ReferenceEqualityComparer.Instance);
    }
}
