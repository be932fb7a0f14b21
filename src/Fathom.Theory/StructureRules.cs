using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// Moment rules that need an integral, and so cannot stand with their op: maxima, gated units, attention. What has no rule here
/// nor of its own is sampled.
/// </summary>
/// <param name="integrate">Integrates an activation over a pre-activation.</param>
internal sealed class StructureRules(Func<Activation, Moments, ActivationMoments> integrate)
{
    private readonly AttentionOverlaps overlaps = new();

    /// <summary>The rule for a node, or null; and the mean square of the slope in front of it where its gradient goes, over that everywhere.</summary>
    /// <param name="node">The node.</param>
    /// <param name="known">What is predicted of the nodes before it.</param>
    public (MomentRule Rule, double SlopeShare)? Of(Node node, IReadOnlyDictionary<Node, NodePrediction> known) => node.Op switch
    {
        Glu => (new GatedUnitRule(new Sigmoid(), integrate).Rule, 1),
        SwiGlu => (new GatedUnitRule(new Silu(), integrate).Rule, 1),
        MultiHeadAttention when node.Inputs[0].Shape.Rank == 3 && known[node.Inputs[0].Node].Outputs[node.Inputs[0].Index].Positions is not null
            => (new AttentionRule(node, overlaps).Rule, 1),
        _ => MaximumRule.Of(node, known) is { } maximum ? (maximum.Rule, maximum.Activation is { } before
            ? maximum.SlopeMoment / Math.Max(1e-300, integrate(before, maximum.Elements).SlopeMoment) : 1) : null,
    };

    /// <summary>An activation with weights or randomness of its own: what it is before step 1, or over its random slopes; null if it is none.</summary>
    public ActivationMoments? OfLikeActivation(Op op, Moments input)
    {
        switch (op)
        {
            case PRelu prelu:
                return integrate(prelu.AtInitialization, input);
            case RRelu rrelu:
                // A slope of its own for each element: its mean square counts for one element, its mean for two.
                double square = (rrelu.Lower * rrelu.Lower + rrelu.Lower * rrelu.Upper + rrelu.Upper * rrelu.Upper) / 3;
                ActivationMoments pairs = integrate(rrelu.InEvaluation, input), own = integrate(new LeakyRelu(Math.Sqrt(square)), input);
                return pairs with { SecondMoment = own.SecondMoment, SlopeMoment = own.SlopeMoment, SlopeFourthMoment = own.SlopeFourthMoment };
            default:
                return null;
        }
    }
}
