using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>a·g(b) of the two halves of an axis, which a layer of random weights has made independent of each other.</summary>
/// <param name="gate">g.</param>
/// <param name="integrate">Integrates an activation over a pre-activation.</param>
internal sealed class GatedUnitRule(Activation gate, Func<Activation, Moments, ActivationMoments> integrate)
{
    public MomentRule Rule => new(Forward, (scope, _) => Factor(scope.Inputs[0], integrate(gate, scope.Inputs[0]))) { PullBack = (scope, _) => PullBack(scope) };

    private Moments Forward(MomentScope scope) => scope.Inputs[0].Times(integrate(gate, scope.Inputs[0]).ForwardOf(scope.Inputs[0].Positions));

    /// <summary>Half of the elements get dy·g(b), half dy·a·g'(b).</summary>
    private static double Factor(Moments half, ActivationMoments gate) => (gate.SecondMoment + half.SecondMoment * gate.SlopeMoment) / 2;

    private Moments PullBack(GradientMomentScope scope)
    {
        Moments half = scope.Inputs[0], upstream = scope.Upstream;
        ActivationMoments moments = integrate(gate, half);
        Moments passed = moments.ForwardOf(half.Positions);
        return Moments.Of(0, Factor(half, moments), upstream.Positions,
            pair => upstream.CorrelationOf(pair) * (passed.Product(pair) + half.Product(pair) * moments.SlopeProduct(pair)) / 2);
    }
}
