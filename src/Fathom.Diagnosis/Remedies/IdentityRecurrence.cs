using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Makes plain recurrent layers IRNNs: ReLU, recurrent weights that start as the identity, small input weights, biases 0.</summary>
public sealed class IdentityRecurrence : Remedy
{
    /// <summary>Le, Jaitly and Hinton 2015, section 4.</summary>
    private const double InputDeviation = 0.001;

    public override string Kind => "recurrent_initialization";

    public override Safety Safety => Safety.ChangesFunction;

    public override string Precondition => "plain recurrent layers that are no IRNN yet";

    public override string Effect => "at the start the state is kept as it is, and so is its gradient, over any number of steps";

    public override string Source => "Le, Jaitly and Hinton 2015";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (Targets(model.Graph).Count > 0)
        {
            yield return new Prescription(this, "IRNN: ReLU and identity recurrent weights", Rewrite);
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model)
    {
        HashSet<Node> targets = Targets(model.Graph);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => targets.Contains(node)
                ? rewriter.Copy(node, ((Rnn)node.Op) with { Activation = RecurrentActivation.Relu }, initializer: (slot, _) => slot switch
                {
                    RecurrentNodes.StateWeight => new IdentityInitializer(),
                    RecurrentNodes.InputWeight => new NormalInitializer(0, InputDeviation),
                    _ => ConstantInitializer.Zeros,
                })
                : null),
        };
    }

    private static HashSet<Node> Targets(Graph graph) => new(RecurrentNodes.Of(graph).Where(node => node.Op is Rnn
        && HiddenLayers.InitializerOf(node, RecurrentNodes.StateWeight) is not IdentityInitializer && RecurrentNodes.OwnsWeights(graph, node)), ReferenceEqualityComparer.Instance);
}
