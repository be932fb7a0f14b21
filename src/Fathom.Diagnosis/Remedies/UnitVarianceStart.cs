using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Initialization;

namespace Fathom.Diagnosis.Remedies;

/// <summary>LSUV: orthogonal weights that the first batch scales, layer by layer, until each layer's output has variance 1.</summary>
public sealed class UnitVarianceStart : Remedy
{
    public override string Kind => "initialization";

    public override Safety Safety => Safety.Reinitializes;

    public override string Precondition => "dense layers or convolutions; no gates, no LSUV and no pre-training yet";

    public override string Effect => "each layer's output has variance 1 by measurement, whatever mixture of functions, pooling and merging theory would have to know";

    public override string Source => "Mishkin and Matas 2016";

    protected override ImmutableArray<string>? MadeFor => [Causes.BadInitialization];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (model.Plan.Initialization is null && model.Plan.Pretraining is null && Applies(model.Graph))
        {
            yield return new Prescription(this, "LSUV initialization", old => old with { Graph = new Lsuv().Apply(old.Graph), Plan = old.Plan with { Initialization = new Lsuv(), Pretraining = null } });
        }
    }

    /// <summary>Whether there is a layer to scale, and none that shares its weights with another kind of layer.</summary>
    private static bool Applies(Graph graph)
    {
        try
        {
            new Lsuv().Apply(graph);
            // LSUV starts all biases at 0, and a gate's says which way is open.
            return graph.Nodes.Any(HiddenLayers.IsWeighted) && !graph.Nodes.Any(node => node.Op is GatedSum);
        }
        catch (GraphException)
        {
            return false;
        }
    }
}
