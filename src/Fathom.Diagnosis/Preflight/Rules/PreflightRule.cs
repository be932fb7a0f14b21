using System.Collections.Immutable;
using Fathom.Theory;
using Fathom.Training;

namespace Fathom.Diagnosis.Preflight.Rules;

/// <summary>What the rules of a pre-flight see.</summary>
/// <param name="Model">Network and plan.</param>
/// <param name="Prediction">What theory expects.</param>
/// <param name="Report">What was measured.</param>
/// <param name="TotalSteps">Steps of the whole run; 0 if no data are named.</param>
public sealed record PreflightScope(ModelDefinition Model, PropagationPrediction Prediction, PreflightReport Report, long TotalSteps)
{
    /// <summary>Layers with weights, by depth.</summary>
    public ImmutableArray<NodeMeasurement> Layers { get; } = [.. Report.Layers];

    /// <summary>What the figures come from, for sentences.</summary>
    public string Basis => Report.Seeds switch
    {
        0 => $"with the given weights on {Report.Rows} rows",
        1 => $"on {Report.Rows} rows with one draw of the weights",
        _ => $"on {Report.Rows} rows over {Report.Seeds} draws of the weights",
    };
}

/// <summary>
/// A pure function from what was measured before training, beside what theory expects, to a finding at step −1. One file per
/// rule; <see cref="PreflightCatalog"/> lists them.
/// </summary>
public abstract class PreflightRule
{
    /// <summary>Stable identifier; its page is <c>docs/rules/ID.md</c>. A rule that training has too bears the same.</summary>
    public abstract string Id { get; }

    /// <summary>The problem in a few words.</summary>
    public abstract string Problem { get; }

    /// <summary>The threshold before training, and where it comes from.</summary>
    public abstract string Threshold { get; }

    /// <summary>A finding, or null if nothing is wrong.</summary>
    public abstract Finding? Inspect(PreflightScope scope);

    /// <summary>A finding of this rule: explanation in one sentence with value, expectation and threshold; next action; how it comes about.</summary>
    protected Finding Found(Severity severity, string cause, string explanation, string action, string details, IEnumerable<string> layers, double confidence,
        IEnumerable<(string Name, double Measured, double Expected)> evidence, params ImmutableArray<string> remedies) => new()
    {
        Rule = Id,
        Problem = Problem,
        Severity = severity,
        Cause = cause,
        Layers = [.. layers],
        Step = -1,
        Confidence = Math.Round(confidence, 3),
        Evidence = evidence.ToImmutableSortedDictionary(item => item.Name, item => new Evidence(item.Measured, item.Expected)),
        Explanation = explanation,
        Action = action,
        Details = details,
        Remedies = remedies,
    };
}

/// <summary>All rules of the pre-flight but the one on the gradient over depth, which <see cref="GradientVerdict"/> joins with theory's.</summary>
public static class PreflightCatalog
{
    /// <summary>The list to add a line to.</summary>
    public static IReadOnlyList<PreflightRule> All { get; } =
    [
        new NonFiniteBeforeTraining(),
        new GradientOverTime(vanishes: true),
        new GradientOverTime(vanishes: false),
        new SaturatedAtStart(),
        new DeadAtStart(),
        new CollapsedSamples(),
        new ShatteredGradient(),
        new LargeFirstStep(),
        new SmallFirstStep(),
        new UnexpectedMeasurement(),
    ];

    /// <summary>What theory and measurement together say is wrong, most severe first.</summary>
    /// <param name="model">Network and plan.</param>
    /// <param name="prediction">What theory expects.</param>
    /// <param name="report">What was measured; null for theory alone.</param>
    /// <param name="totalSteps">Steps of the whole run; 0 if no data are named.</param>
    public static ImmutableArray<Finding> Inspect(ModelDefinition model, PropagationPrediction prediction, PreflightReport? report, long totalSteps = 0)
    {
        Finding? theory = Forecast.Of(prediction);
        if (report is null)
        {
            return theory is null ? [] : [BeforePretraining(theory, model)];
        }
        PreflightScope scope = new(model, prediction, report, totalSteps);
        IEnumerable<Finding?> findings = [GradientVerdict.Of(theory, scope), .. All.Select(rule => rule.Inspect(scope))];
        return [.. findings.OfType<Finding>().Select(finding => BeforePretraining(finding, model)).OrderByDescending(finding => finding.Severity)];
    }

    /// <summary>What is wrong with the weights as they are drawn may be right after pre-training, which looks at no label.</summary>
    private static Finding BeforePretraining(Finding finding, ModelDefinition model) =>
        model.Plan.Pretraining is { } rule && finding is { Severity: Severity.Error, Cause: Causes.Vanishing or Causes.Exploding or Causes.DeadRelu or Causes.BadInitialization }
            ? finding with { Severity = Severity.Warning, Explanation = $"Before pre-training ({rule.Kind}), which may mend it: {finding.Explanation}" }
            : finding;
}
