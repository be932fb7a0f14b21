using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initialization;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Multiplies the shortcuts of a post-norm transformer by (2N)^¼ and starts its branches with the gain (8N)^−¼.</summary>
public sealed class DeepNormScaling : Remedy
{
    public override string Kind => "deepnorm";

    public override Safety Safety => Safety.ChangesStructure;

    public override string Precondition => "residual branches whose sum a layer or RMS normalization alone reads (post-norm), without DeepNorm's factor";

    public override string Effect => "shortcuts that outweigh their branches bound how far a step can move the output, whatever the depth";

    public override string Source => "Wang et al. 2022";

    protected override ImmutableArray<string>? MadeFor => [Causes.Vanishing, Causes.LearningRateTooLarge];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        bool already = ResidualBranch.Of(model.Graph).Any(branch => branch.Add.Inputs[1 - branch.Input].Node.Op is Rescaling);
        if (!already && Applies(model.Graph))
        {
            yield return new Prescription(this, "DeepNorm: shortcuts scaled up, branches down", old => old with { Graph = new DeepNorm().Apply(old.Graph), Plan = old.Plan with { Initialization = null } });
        }
    }

    private static bool Applies(Graph graph)
    {
        try
        {
            new DeepNorm().Apply(graph);
            return true;
        }
        catch (GraphException)
        {
            return false;
        }
    }
}
