using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Orthogonal weights, whose singular values are all equal, at a gain that makes up for the activation (Saxe et al. 2013).
/// </summary>
public sealed class OrthogonalInitialization : Remedy
{
    public override string Kind => "initialization";

    public override Safety Safety => Safety.Reinitializes;

    public override string Effect => "orthogonal weights shrink or stretch no direction of the gradient more than another";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, IReadOnlyList<Finding> findings)
    {
        bool already = model.Graph.Parameters.Any(node => ((Parameter)node.Op).Initializer is Orthogonal);
        if (!already && model.Graph.Nodes.Any(node => node.Op is Dense))
        {
            yield return new Prescription(this, "orthogonal initialization", Rewrite);
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model)
    {
        LayerReaders readers = new(model.Graph);
        double Gain(Node layer) => (readers.ActivationAfter(layer)?.Op as Activation)?.RecommendedWeightGain ?? 1;
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => node.Op is Dense
                ? rewriter.Copy(node, initializer: (slot, _) => slot == "weight" ? new Orthogonal(Gain(node)) : ConstantInitializer.Zeros)
                : null),
        };
    }
}
