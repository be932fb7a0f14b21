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

    /// <summary>The gradient of a learnt slope, Σ δ·min(x, 0) over all that it is used at; null for other ops.</summary>
    public MomentRule? OfSlope(Op op) => op is not PRelu ? null : new MomentRule(static scope => scope.Inputs[0], static (_, _) => double.NaN)
    {
        PullBack = (scope, input) =>
        {
            Moments x = scope.Inputs[0];
            Moments below = integrate(new Relu(), x with { Mean = -x.Mean }).ForwardOf(x.Positions);
            return new Moments(0, input == 1 ? scope.UsesOf(scope.Node.Inputs[1].Shape.ElementsPerSample) * below.SecondMoment * scope.Coherence(below) : double.NaN, 0);
        },
    };

    private readonly Dictionary<(Activation, double, double, double, double, double, int), (double Factor, double SlopeShare)> rows = [];

    /// <summary>The rule of a batch normalization behind an activation, whose channels differ in variance; null for other nodes.</summary>
    /// <param name="node">The node.</param>
    /// <param name="known">What is predicted of the nodes before it.</param>
    /// <param name="batch">Samples of a batch.</param>
    public (MomentRule Rule, double SlopeShare)? OfNormalizedActivation(Node node, IReadOnlyDictionary<Node, NodePrediction> known, int batch)
    {
        if (node.Op is not BatchNorm { Moments: { } rule } op || batch < 4 || node.Inputs[0].Node is not { Op: Activation activation } before
            || known[before] is not { Source: PredictionSource.Quadrature, Merged.IsEmpty: true })
        {
            return null;
        }
        Moments u = known[before.Inputs[0].Node].Outputs[before.Inputs[0].Index];
        double Rounded(double x) => Math.Round(x, 4);
        var key = (activation, Rounded(u.Mean), Rounded(Math.Log(Math.Max(1e-300, u.SecondMoment))), Rounded(u.Correlation),
            Rounded(u.CorrelationOf(MomentPair.Positions)), Rounded(u.CorrelationOf(MomentPair.Both)), (int)u.PositionCount);
        if (!rows.TryGetValue(key, out (double Factor, double SlopeShare) row))
        {
            rows[key] = row = NormalizedActivation.Draw(activation, u, batch, op.Eps);
        }
        double length = (double)batch * u.PositionCount, weight = op.Affine ? known[node.Inputs[1].Node].Output.SecondMoment : 1;
        return (rule with
        {
            PullBack = (scope, input) =>
            {
                Moments gradient = rule.PullBack!(scope, input);
                double expected = rule.Backward(scope.Forward, 0) / weight * (1 - 2 / length);
                return input == 0 ? gradient with { SecondMoment = gradient.SecondMoment * row.Factor / expected } : gradient;
            },
        }, row.SlopeShare);
    }
}
