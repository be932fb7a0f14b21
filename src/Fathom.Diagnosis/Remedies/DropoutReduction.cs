using System.Collections.Immutable;
using Fathom.Diagnosis.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Drops less of what layers say, and nothing of the network's own answers.</summary>
public sealed class DropoutReduction : Remedy
{
    /// <summary>Srivastava et al. 2014, section 7.3: best between 0.2 and 0.5.</summary>
    private static readonly double[] Rates = [0.2, 0.5, 0];

    public override string Kind => "dropout";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "dropout of 0.8 or more, or behind the last layer with weights; or any above 0.2, if a rule asks for it";

    public override string Effect => "the noise of what is left, which grows as p/(1 − p), no longer drowns the gradient; in evaluation the network is the same as before";

    public override string Source => "Srivastava et al. 2014, section 7.3";

    protected override ImmutableArray<string>? MadeFor => null;

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        Node? last = HeavyDropout.OnOutput(model.Graph);
        double most = Hidden(model.Graph, last).Select(node => ((DropoutOp)node.Op).Rate).DefaultIfEmpty(0).Max();
        bool lower = most >= HeavyDropout.Heavy || (last is null && most > Rates.Where(rate => rate > 0).Min() && history.Asks(Kind));
        string also = last is null ? "" : ", none behind the last layer";
        if (last is not null && !lower)
        {
            yield return new Prescription(this, $"no dropout behind the last layer", old => Limited(old, 1));
        }
        foreach (double rate in lower ? Rates.Where(rate => rate < most) : [])
        {
            yield return new Prescription(this, rate > 0 ? FormattableString.Invariant($"dropout of {rate} at most{also}") : "no dropout", old => Limited(old, rate));
        }
    }

    private static IEnumerable<Node> Hidden(Graph graph, Node? last) => graph.Nodes.Where(node => node.Op is DropoutOp { Rate: > 0 } && node != last);

    /// <summary>No dropout drops more than a limit; that on the output drops nothing.</summary>
    private static ModelDefinition Limited(ModelDefinition model, double limit)
    {
        Node? last = HeavyDropout.OnOutput(model.Graph);
        HashSet<Node> heavy = new(Hidden(model.Graph, last).Where(node => ((DropoutOp)node.Op).Rate > limit), ReferenceEqualityComparer.Instance);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) =>
                node == last || (heavy.Contains(node) && limit == 0) ? rewriter.Mapped(node.Inputs[0])
                : heavy.Contains(node) ? rewriter.Copy(node, (DropoutOp)node.Op with { Rate = limit })
                : null),
        };
    }
}
