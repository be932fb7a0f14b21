using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Cuts the gradient of recurrent states every k steps; what the network computes stays the same.</summary>
public sealed class TruncatedBackpropagation : Remedy
{
    /// <summary>Shorter sequences are not worth cutting, and shorter parts learn nothing over time.</summary>
    private const int ShortestSequence = 16, ShortestPart = 8;

    public override string Kind => "truncated_bptt";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "recurrent layers over 16 steps or more that are not truncated yet";

    public override string Effect => "a gradient that grows by f per step grows by f^k at most in place of f^T; what lies more than k steps apart is no longer learnt together";

    public override string Source => "Williams and Peng 1990";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if ((history.Has(Causes.Exploding, Causes.Numerical) || history.Asks(Kind)) && Targets(model.Graph).MaxBy(RecurrentNodes.Steps) is { } longest)
        {
            int part = Math.Max(ShortestPart, RecurrentNodes.Steps(longest) / 4);
            yield return new Prescription(this, $"back-propagation through {part} time steps", old => Rewrite(old, part));
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model, int part)
    {
        HashSet<Node> targets = new(Targets(model.Graph), ReferenceEqualityComparer.Instance);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => targets.Contains(node) ? rewriter.Copy(node, ((RecurrentLayer)node.Op) with { Truncate = part }) : null),
        };
    }

    private static IEnumerable<Node> Targets(Graph graph) => RecurrentNodes.Of(graph).Where(node => node.Op is RecurrentLayer { Truncate: 0 } && RecurrentNodes.Steps(node) >= ShortestSequence);
}
