using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initialization;
using Fathom.Graphs.Ops;
using Fathom.Training;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Scales the branches of a residual network so that together they change the output no more than one would: by a learnt number
/// that starts at 0 (ReZero) or at 1/√L (SkipInit), or by the start that Fixup gives their weights.
/// </summary>
public sealed class BranchScaling : Remedy
{
    private const int FewestBranches = 2;

    public override string Kind => "branch_scaling";

    public override Safety Safety => Safety.ChangesStructure;

    public override string Precondition => "two residual branches or more that end in no scale yet; for Fixup no normalization in the network";

    public override string Effect => "a branch multiplies the gradient by 1 + its own gain; scaled to 0 or 1/√L, L of them give 1 or e in place of 2^L";

    public override string Source => "Bachlechner et al. 2021 (ReZero); De and Smith 2020 (SkipInit); Zhang, Dauphin and Ma 2019 (Fixup)";

    protected override ImmutableArray<string>? MadeFor => [Causes.Exploding, Causes.BadInitialization];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        IReadOnlyList<ResidualBranch> branches = Unscaled(model.Graph);
        if (branches.Count < FewestBranches)
        {
            yield break;
        }
        double skip = Rounded.To(1 / Math.Sqrt(branches.Count), 2);
        yield return new Prescription(this, "ReZero: each branch times a learnt number from 0", old => Scaled(old, 0));
        yield return new Prescription(this, $"SkipInit: each branch times a learnt number from {Number(skip)}", old => Scaled(old, skip));
        if (!model.Graph.Nodes.Any(node => HiddenLayers.IsNormalization(node) || node.Op is GatedSum) && branches.Any(branch => branch.WeightLayers.Count > 1))
        {
            yield return new Prescription(this, "Fixup initialization", old => old with { Graph = new Fixup().Apply(old.Graph), Plan = old.Plan with { Initialization = null } });
        }
    }

    private static ModelDefinition Scaled(ModelDefinition model, double start)
    {
        Dictionary<Node, int> ends = Unscaled(model.Graph).ToDictionary(branch => branch.Add, branch => branch.Input);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => ends.TryGetValue(node, out int end)
                ? HiddenLayers.Rewired(rewriter, node, value => value == node.Inputs[end]
                    ? rewriter.Builder.Layer(new Scale(start), HiddenLayers.FreeName(rewriter, model.Graph, node.Name + ".scale"), [rewriter.Mapped(value)])
                    : null)
                : null),
        };
    }

    private static IReadOnlyList<ResidualBranch> Unscaled(Graph graph) =>
        [.. ResidualBranch.Of(graph).Where(branch => branch.Add.Inputs[branch.Input].Node.Op is not (Scale or Rescaling) && branch.Add.Inputs[0] != branch.Add.Inputs[1])];
}
