using Fathom.Diagnosis.Rules;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Preflight.Rules;

/// <summary>
/// The gradient over depth, FTH001 and FTH002 before training: what was measured decides, theory says why. A measurement that
/// contradicts a prediction takes its place.
/// </summary>
public static class GradientVerdict
{
    /// <summary>Theory's finding with what was measured in it, or the measurement's own; null if neither finds anything.</summary>
    /// <param name="theory">What <see cref="Forecast.Of"/> says.</param>
    /// <param name="scope">What was measured.</param>
    public static Finding? Of(Finding? theory, PreflightScope scope)
    {
        if (scope.Layers.Length < 3 || scope.Report.Nodes.Any(node => node.NonFinite))
        {
            return theory;
        }
        double decades = scope.Report.TotalDecades;
        if (theory is not null && theory.Evidence.ContainsKey("layers_without_gradient"))
        {
            return Unreached(theory, scope);
        }
        bool found = Math.Abs(decades) >= Forecast.Decades || double.IsNaN(decades);
        bool vanishes = !(decades > 0);
        if (!found)
        {
            // Theory alone is not believed against the measurement; that they differ is FTH009's to say.
            return theory is null ? null : scope.Report.Comparable ? Contradicted(theory, scope, decades) : null;
        }
        string cause = vanishes ? Causes.Vanishing : Causes.Exploding;
        return theory?.Cause == cause && scope.Report.Comparable ? Confirmed(theory, scope, decades) : Measured(scope, decades, vanishes);
    }

    private static Finding Confirmed(Finding theory, PreflightScope scope, double decades) => theory with
    {
        Layers = Affected(scope),
        Confidence = 0.99,
        Evidence = theory.Evidence
            .SetItem("decades_lost", theory.Evidence["decades_lost"] with { Measured = -decades })
            .SetItem("decades_lost_predicted", theory.Evidence["decades_lost"]),
        Explanation = Sentence(scope, decades, scope.Prediction.Depth.TotalDecades),
        Details = $"{Spread(scope)}{theory.Details}",
    };

    private static Finding Measured(PreflightScope scope, double decades, bool vanishes)
    {
        Rule rule = vanishes ? new VanishingGradient() : new ExplodingGradient();
        double per = decades / Math.Max(1, scope.Layers[^1].Depth - scope.Layers[0].Depth);
        return new Finding
        {
            Rule = rule.Id,
            Problem = rule.Problem,
            Severity = Severity.Error,
            Cause = vanishes ? Causes.Vanishing : Causes.Exploding,
            Layers = Affected(scope),
            Step = -1,
            Confidence = 0.95,
            Evidence = System.Collections.Immutable.ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("decades_lost", new Evidence(-decades, vanishes ? Forecast.Decades : -Forecast.Decades))
                .Add("decades_lost_predicted", new Evidence(-scope.Report.ExpectedDecades, double.NaN))
                .Add("gradient_factor_per_layer", new Evidence(Math.Pow(10, per), 1)),
            Explanation = Sentence(scope, decades, scope.Report.Comparable ? scope.Report.ExpectedDecades : double.NaN),
            Action = vanishes ? VanishingGradient.Advice([.. scope.Prediction.Depth.Layers.Select(layer => layer.Activation)]) : ExplodingGradient.Advice,
            Details = $"{Spread(scope)}Each layer multiplies the gradient's norm by {Number(Math.Pow(10, per))} on its way back.{(scope.Report.Comparable ? TooNarrow(scope, decades) : "")}",
            Remedies = vanishes ? ["activation", "initialization", "batch_norm", "residual", "optimizer"] : ["initialization", "batch_norm", "clip_norm", "learning_rate"],
        };
    }

    /// <summary>Value, limit and expectation in one sentence.</summary>
    /// <param name="scope">What was measured.</param>
    /// <param name="decades">Measured change of the gradient's norm from the last to the first layer.</param>
    /// <param name="expected">What theory expects of it; NaN for nothing.</param>
    private static string Sentence(PreflightScope scope, double decades, double expected)
    {
        string last = scope.Layers[^1].Node.Name, first = scope.Layers[0].Node.Name, theory = double.IsFinite(expected) ? $"; theory expects {Number(Math.Pow(10, expected))}" : "";
        double limit = Math.Pow(10, decades > 0 ? Forecast.Decades : -Forecast.Decades);
        return double.IsFinite(decades)
            ? $"The gradient's norm {(decades < 0 ? "falls" : "grows")} to {Number(Math.Pow(10, decades))} of its size from {last} to {first} (limit {Number(limit)}{theory}), measured {scope.Basis}."
            : $"No gradient arrives at {first} (limit {Number(limit)} of that at {last}{theory}), measured {scope.Basis}.";
    }

    /// <summary>What theory says to a gradient that its mean square over draws does not have.</summary>
    private static string TooNarrow(PreflightScope scope, double decades)
    {
        double mean = scope.Prediction.Depth.TotalDecades, typical = scope.Report.ExpectedDecades;
        // The mean square lives on rare draws: what all others lose is the price of few units in many layers.
        return Math.Abs(typical - decades) < 1 + 0.2 * Math.Abs(decades) && Math.Abs(typical - mean) >= 1
            ? $" Theory expects {Number(Math.Pow(10, typical))} of a typical draw, though {Number(Math.Pow(10, mean))} in the mean over draws: so many layers are too narrow for that mean; wider ones, normalization or residual connections help."
            : "";
    }

    private static Finding Contradicted(Finding theory, PreflightScope scope, double decades) => theory with
    {
        Severity = Severity.Warning,
        Confidence = 0.3,
        Evidence = theory.Evidence
            .SetItem("decades_lost", theory.Evidence["decades_lost"] with { Measured = -decades })
            .SetItem("decades_lost_predicted", theory.Evidence["decades_lost"]),
        Explanation = $"Theory expects the gradient's norm to change to {Number(Math.Pow(10, scope.Prediction.Depth.TotalDecades))} of its size over depth (limit {Number(Math.Pow(10, theory.Cause == Causes.Exploding ? Forecast.Decades : -Forecast.Decades))}), but measured {scope.Basis} it changes to {Number(Math.Pow(10, decades))}.",
        Action = "Go by the measurement: train the network as it is, and watch this layer by layer.",
        Details = $"{theory.Explanation} {theory.Details}",
    };

    /// <summary>Theory's finding that no gradient arrives, unless one does.</summary>
    private static Finding? Unreached(Finding theory, PreflightScope scope)
    {
        HashSet<string> reached = [.. scope.Layers.Where(layer => double.IsFinite(layer.GradientNorm)).Select(layer => layer.Node.Name)];
        return theory.Layers.Any(reached.Contains) ? null : theory;
    }

    private static System.Collections.Immutable.ImmutableArray<string> Affected(PreflightScope scope)
    {
        double last = scope.Layers[^1].Gradient.Measured;
        return [.. scope.Layers.Where(layer => !(Math.Abs(layer.Gradient.Measured - last) < Forecast.Decades)).Select(layer => layer.Node.Name)];
    }

    private static string Spread(PreflightScope scope) => scope.Layers[0].Gradient.MeasuredDeviation is double deviation && double.IsFinite(deviation)
        ? $"From draw to draw it varies by a factor of {Number(Math.Pow(10, deviation))} (one standard deviation). "
        : "";
}
