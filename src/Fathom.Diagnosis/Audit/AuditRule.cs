using System.Collections.Immutable;

namespace Fathom.Diagnosis.Audit;

/// <summary>
/// A pure function from a model and its data, before any training, to a finding. One file per rule;
/// <see cref="AuditCatalog"/> lists them.
/// </summary>
public abstract class AuditRule
{
    /// <summary>Stable identifier, such as <c>FTH010</c>; its page is <c>docs/rules/ID.md</c>.</summary>
    public abstract string Id { get; }

    /// <summary>The problem in a few words.</summary>
    public abstract string Problem { get; }

    /// <summary>The threshold and where it comes from.</summary>
    public abstract string Threshold { get; }

    /// <summary>One of <see cref="Causes"/>.</summary>
    public abstract string Cause { get; }

    /// <summary>A finding, or null if nothing is wrong or there is nothing to look at.</summary>
    public abstract Finding? Inspect(AuditScope scope);

    /// <summary>A finding of this rule, at step −1.</summary>
    /// <param name="severity">Error only where training will in all likelihood fail or be wrong.</param>
    /// <param name="explanation">One sentence: the value, what was expected and from where, the threshold.</param>
    /// <param name="action">What to do next, in one short sentence.</param>
    /// <param name="evidence">Measured against expected, by name.</param>
    /// <param name="layers">The layers that it concerns.</param>
    /// <param name="remedies">Kinds of remedies.</param>
    /// <param name="confidence">0 to 1.</param>
    /// <param name="details">How it comes about.</param>
    protected Finding Found(Severity severity, string explanation, string action, IEnumerable<(string Name, double Measured, double Expected)> evidence,
        ImmutableArray<string> layers = default, ImmutableArray<string> remedies = default, double confidence = 0.95, string details = "") => new()
    {
        Rule = Id,
        Problem = Problem,
        Severity = severity,
        Cause = Cause,
        Layers = layers.IsDefault ? [] : layers,
        Step = -1,
        Confidence = confidence,
        Evidence = evidence.ToImmutableSortedDictionary(item => item.Name, item => new Evidence(item.Measured, item.Expected)),
        Explanation = explanation,
        Action = action,
        Details = details,
        Remedies = remedies.IsDefault ? [] : remedies,
    };
}

/// <summary>All rules of the audit; the list to add a line to.</summary>
public static class AuditCatalog
{
    public static IReadOnlyList<AuditRule> All { get; } =
    [
        new MismatchedOutput(),
        new OutputWidth(),
        new TargetOutOfRange(),
        new UnscaledInput(),
        new UnequalFeatures(),
        new ConstantInput(),
        new NonFiniteData(),
        new ClassImbalance(),
        new DuplicatedRows(),
        new LeakedRows(),
        new ContradictingTargets(),
        new TooFewRows(),
        new UnscaledTarget(),
        new InitialWeights(),
        new LinearNetwork(),
        new HeavyDropout(),
        new InitialBiases(),
        new HiddenSoftmax(),
        new TargetAmongInputs(),
        new NarrowLayer(),
    ];
}

/// <summary>
/// Looks at model, loss and data before training: an output that its loss takes for something else, inputs and targets of a
/// size that initialization does not reckon with, rows that appear twice. It reads all rows once for values that are no
/// numbers; scales are judged by a sample of the rows where there are many, and then the finding says so.
/// </summary>
public static class DataAudit
{
    /// <summary>Findings, most severe first; none if nothing is wrong.</summary>
    /// <param name="model">Network and plan.</param>
    /// <param name="data">Its data; null if there are none, and then output and loss alone are looked at.</param>
    /// <param name="prediction">What theory expects of the model; null if it was not asked, and then initial weights are not judged.</param>
    public static ImmutableArray<Finding> Inspect(Training.ModelDefinition model, Training.Data.DataSplit? data, Theory.PropagationPrediction? prediction = null)
    {
        AuditScope scope = new(model, data) { Prediction = prediction };
        return [.. AuditCatalog.All.Select(rule => rule.Inspect(scope)).OfType<Finding>().OrderByDescending(finding => finding.Severity)];
    }
}
