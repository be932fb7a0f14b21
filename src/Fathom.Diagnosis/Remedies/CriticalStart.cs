using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Starts weights and biases on the edge of chaos of the function that reads them, as theory computes it: σw² E[φ'²] = 1 at a
/// fixed length of the signal. For the ReLU family that is He's, which is another variant.
/// </summary>
public sealed class CriticalStart : Remedy
{
    public override string Kind => "initialization";

    public override Safety Safety => Safety.Reinitializes;

    public override string Precondition => "a chain (no normalization, no addition) with a hidden function outside the ReLU family for which theory knows a critical point";

    public override string Effect => "at χ₁ = 1 the gradient's mean square is the same in every layer, at any depth; with orthogonal weights its direction hardly matters either";

    public override string Source => "Poole et al. 2016; Schoenholz et al. 2017; orthogonal: Pennington et al. 2017";

    protected override ImmutableArray<string>? MadeFor => [Causes.Vanishing, Causes.Exploding, Causes.BadInitialization];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        bool chain = !model.Graph.Nodes.Any(node => HiddenLayers.IsNormalization(node) || node.Op is Add or GatedSum);
        // The ReLU family's critical point is He's.
        bool smooth = HiddenLayers.Activations(model.Graph).Any(node => ((Activation)node.Op).RecommendedWeightGain == 1);
        foreach (bool orthogonal in (bool[])[false, true])
        {
            CriticalInitialization rule = new(Orthogonal: orthogonal);
            if (chain && smooth && Applies(model.Graph, rule))
            {
                yield return new Prescription(this, orthogonal ? "critical initialization, orthogonal" : "critical initialization", old => old with { Graph = rule.Apply(old.Graph), Plan = old.Plan with { Initialization = null } });
            }
        }
    }

    private static bool Applies(Graph graph, CriticalInitialization rule)
    {
        try
        {
            Graph critical = rule.Apply(graph);
            return !critical.Parameters.Select(node => ((Parameter)node.Op).Initializer).SequenceEqual(graph.Parameters.Select(node => ((Parameter)node.Op).Initializer));
        }
        catch (GraphException)
        {
            return false;
        }
    }
}
