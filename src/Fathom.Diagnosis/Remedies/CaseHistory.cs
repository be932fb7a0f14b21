using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Preflight;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Remedies;

/// <summary>What is known of a sick network beside its model: what was found, on which data, and what its run has shown.</summary>
public sealed class CaseHistory
{
    private readonly Dictionary<ModelDefinition, LearningRateRange?> ranges = new(ReferenceEqualityComparer.Instance);

    /// <param name="findings">What was found; what a finding has brought about counts as well.</param>
    public CaseHistory(IEnumerable<Finding> findings) => Findings = [.. findings.SelectMany(finding => finding.Consequences.Prepend(finding))];

    /// <summary>All findings, causes and consequences side by side.</summary>
    public ImmutableArray<Finding> Findings { get; }

    /// <summary>The training rows; null if they are not at hand. Remedies that choose numbers from them then propose nothing.</summary>
    public DataSet? Data { get; init; }

    /// <summary>The norms of the sick run's gradients; null if no run was watched.</summary>
    public GradientNorms? GradientNorms { get; init; }

    /// <summary>
    /// Runs a learning-rate range test; null for none, since it costs steps. Asked at most once for a model, and only by a
    /// remedy that changes the rate.
    /// </summary>
    public Func<ModelDefinition, LearningRateRange>? RangeTest { get; init; }

    /// <summary>Whether a finding has one of these causes.</summary>
    public bool Has(params ReadOnlySpan<string> causes)
    {
        foreach (Finding finding in Findings)
        {
            if (causes.Contains(finding.Cause))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Whether a rule names a remedy of this kind.</summary>
    public bool Asks(string kind) => Findings.Any(finding => finding.Remedies.Contains(kind));

    /// <summary>The first number that a finding measured under one of these names; NaN if none did.</summary>
    public double Measured(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            foreach (Finding finding in Findings)
            {
                if (finding.Evidence.TryGetValue(name, out Evidence evidence) && double.IsFinite(evidence.Measured))
                {
                    return evidence.Measured;
                }
            }
        }
        return double.NaN;
    }

    /// <summary>Steps of a whole run; null if the number of rows is not known.</summary>
    public long? Steps(TrainingPlan plan) =>
        Data is { Count: > 0 } rows ? Math.Max(1, rows.Count / Math.Min(plan.BatchSize, rows.Count)) * (long)plan.Epochs : null;

    /// <summary>What a range test says of a model; null if none can be run.</summary>
    internal LearningRateRange? Range(ModelDefinition model)
    {
        lock (ranges)
        {
            if (!ranges.TryGetValue(model, out LearningRateRange? range))
            {
                ranges[model] = range = RangeTest?.Invoke(model);
            }
            return range;
        }
    }
}
