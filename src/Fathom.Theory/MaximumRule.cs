using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// The largest of k elements: max pools and maxout. A rising activation in front of it may as well stand behind it, so that the
/// maximum is one of Gaussian variables, max φ(u) = φ(max u), and its gradient meets the slope at the largest one.
/// </summary>
/// <param name="Count">Number k of elements.</param>
/// <param name="Units">Whether they are units, of random weights of their own (maxout), and not positions of one.</param>
/// <param name="Outputs">Positions of the output; 1 for units.</param>
/// <param name="Positions">The output's positions, or null.</param>
/// <param name="Activation">What was applied to the elements.</param>
/// <param name="Elements">Moments of an element before that.</param>
/// <param name="Pairs">Integrals over pairs that are known already, by count and correlation.</param>
internal sealed record MaximumRule(int Count, bool Units, double Outputs, PositionMoments? Positions, Activation? Activation, Moments Elements,
    Dictionary<(int, double), (double Covariance, double SamePlace)> Pairs)
{

    public MomentRule Rule => new(_ => Forward(), (scope, _) => Share(scope)) { PullBack = (scope, _) => PullBack(scope) };

    private double Variance => Elements.Variance;

    /// <summary>Correlation of the elements of one maximum, by which they rise and fall together.</summary>
    private double Within => Units ? 0 : Math.Clamp(ActivationMoments.CenteredCorrelation(Elements, MomentPair.Positions), 0, 1);

    /// <summary>E[φ'²] at the largest element.</summary>
    public double SlopeMoment => Activation is { } activation ? Expectation(x => activation.Slope(x) * activation.Slope(x)) : 1;

    private double Expectation(Func<double, double> f) =>
        GaussianMaximum.Expectation(f, Count, Elements.Mean, Math.Sqrt(Variance * Within), Math.Sqrt(Variance * (1 - Within)), Activation is null ? [] : [.. Activation.Kinks]);

    private Moments Forward()
    {
        Func<double, double> value = Activation is { } activation ? activation.Evaluate : x => x;
        double mean = Expectation(value), second = Expectation(x => value(x) * value(x));
        double spread = Within + (1 - Within) * OfPairs(1).Covariance;
        // Two maxima correlate as the elements' common parts and their maxima do; the function is taken as straight over that.
        return Moments.Of(mean, second, Positions, pair => mean * mean + (second - mean * mean) * Shared(pair) / spread);
    }

    private double Shared(MomentPair pair)
    {
        double own = ActivationMoments.CenteredCorrelation(Elements, pair);
        if (Units)
        {
            return OfPairs(own).Covariance;
        }
        double across = Math.Max(0, ActivationMoments.CenteredCorrelation(Elements, MomentPair.Both));
        return pair switch
        {
            MomentPair.Samples => across + (1 - Within) * OfPairs(Inner(own, across)).Covariance,
            MomentPair.Positions => Within,
            _ => across,
        };
    }

    /// <summary>Correlation of one element of two samples, less what all of a maximum's elements share.</summary>
    private double Inner(double samples, double across) => Within < 1 ? Math.Clamp((samples - across) / (1 - Within), -1, 1) : 1;

    private double Share(MomentScope scope) => Units ? 1.0 / Count : Outputs / scope.Inputs[0].PositionCount;

    /// <summary>The largest element gets the whole gradient; two samples' gradients meet where the largest is the same.</summary>
    private Moments PullBack(GradientMomentScope scope)
    {
        Moments upstream = scope.Upstream;
        double share = Share(scope.Forward);
        if (Units)
        {
            return Moments.Of(0, share, upstream.Positions, pair => share * upstream.CorrelationOf(pair)
                * OfPairs(ActivationMoments.CenteredCorrelation(Elements, pair)).SamePlace);
        }
        double across = Math.Max(0, ActivationMoments.CenteredCorrelation(Elements, MomentPair.Both));
        double same = OfPairs(Inner(ActivationMoments.CenteredCorrelation(Elements), across)).SamePlace;
        double others = Math.Max(1, scope.Inputs[0].PositionCount - 1);
        return Moments.Of(0, share, scope.Inputs[0].Positions?.Flattened(), pair => share * pair switch
        {
            MomentPair.Samples => upstream.Correlation * same,
            MomentPair.Positions => (upstream.Positions is null ? 0 : upstream.CorrelationOf(pair)) * (Outputs - 1) / others,
            _ => (upstream.Correlation * (1 - same) + (Outputs - 1) * upstream.CorrelationOf(pair)) / others,
        });
    }

    private (double Covariance, double SamePlace) OfPairs(double correlation)
    {
        (int, double Correlation) key = (Count, Math.Round(correlation, 5));
        if (!Pairs.TryGetValue(key, out (double, double) found))
        {
            Pairs[key] = found = GaussianMaximum.OfPairs(Count, key.Correlation);
        }
        return found;
    }

    /// <summary>The rule of a node that takes maxima, or null.</summary>
    public static MaximumRule? Of(Node node, IReadOnlyDictionary<Node, NodePrediction> known, Dictionary<(int, double), (double, double)> pairs)
    {
        if (node.Op is not (Maxout or MaxPool2d or MaxPool1d or GlobalMaxPool))
        {
            return null;
        }
        Value input = node.Inputs[0];
        (Activation? activation, Moments elements) = Before(known, input);
        if (node.Op is Maxout maxout)
        {
            return new MaximumRule(maxout.PoolSize, true, 1, known[input.Node].Outputs[input.Index].Positions?.Flattened(), activation, elements, pairs);
        }
        if (elements.Positions is not { } positions)
        {
            return null;
        }
        if (node.Op is GlobalMaxPool)
        {
            return new MaximumRule((int)Math.Min(positions.Count, 1 << 20), false, 1, null, activation, elements, pairs);
        }
        int count = node.Op is MaxPool2d two ? two.Kernel.Height * two.Kernel.Width : ((MaxPool1d)node.Op).Kernel;
        PositionMoments pooled = PositionMoments.Flat(node.Outputs[0].Shape, positions.Axes, 1, 1);
        return new MaximumRule(count, false, pooled.Count, pooled, activation, elements, pairs);
    }

    /// <summary>A rising activation and what it reads, or the value itself.</summary>
    private static (Activation? Activation, Moments Elements) Before(IReadOnlyDictionary<Node, NodePrediction> known, Value value)
    {
        NodePrediction prediction = known[value.Node];
        if (prediction is { Source: PredictionSource.Quadrature, Activation: { } moments } && value.Node.Op is Activation activation)
        {
            Value read = value.Node.Inputs[0];
            Moments elements = known[read.Node].Outputs[read.Index];
            double falling = GaussianIntegral.Expectation(x => Math.Pow(Math.Min(0, activation.Slope(x)), 2), elements.Mean, elements.Variance, activation.Kinks.AsSpan());
            if (falling <= 0.02 * moments.SlopeMoment)
            {
                return (activation, elements);
            }
        }
        return (null, prediction.Outputs[value.Index]);
    }
}
