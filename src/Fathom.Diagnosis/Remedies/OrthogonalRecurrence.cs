using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Starts the recurrent weights of every recurrent layer as an orthogonal matrix, each gate's block by itself, and the input's weights as Xavier's.</summary>
public sealed class OrthogonalRecurrence : Remedy
{
    public override string Kind => "recurrent_initialization";

    public override Safety Safety => Safety.Reinitializes;

    public override string Precondition => "recurrent layers whose recurrent weights do not start orthogonal";

    public override string Effect => "all singular values of the recurrent weights are 1, so that of T steps none shrinks or stretches the state's gradient; only φ' does";

    public override string Source => "Saxe et al. 2013; Arjovsky, Shah and Bengio 2016";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (Targets(model.Graph).Count > 0)
        {
            yield return new Prescription(this, "orthogonal recurrent weights", Rewrite);
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model)
    {
        HashSet<Node> targets = Targets(model.Graph);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => targets.Contains(node)
                ? rewriter.Copy(node, initializer: (slot, old) => slot switch
                {
                    RecurrentNodes.StateWeight => new Orthogonal(),
                    RecurrentNodes.InputWeight => VarianceScaling.XavierUniform,
                    _ => old,
                })
                : null),
        };
    }

    private static HashSet<Node> Targets(Graph graph) => new(RecurrentNodes.Of(graph).Where(node =>
        HiddenLayers.InitializerOf(node, RecurrentNodes.StateWeight) is not Orthogonal { Gain: 1 } && RecurrentNodes.OwnsWeights(graph, node)), ReferenceEqualityComparer.Instance);
}
