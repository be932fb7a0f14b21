using System.Collections.Immutable;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>How deep a remedy cuts, mildest first.</summary>
public enum Safety
{
    /// <summary>Network and weights stay; only how they are trained changes.</summary>
    TrainingPlan,

    /// <summary>The same network starts from other weights; trained weights are lost.</summary>
    Reinitializes,

    /// <summary>Another function in place of one of the network's.</summary>
    ChangesFunction,

    /// <summary>Layers or connections are added or taken away.</summary>
    ChangesStructure,
}

/// <summary>
/// A cure: when it may be tried, and the rewrite of network or training plan that it is. One file per remedy;
/// <see cref="RemedyCatalog"/> lists them.
/// </summary>
public abstract class Remedy
{
    /// <summary>Stable name, as rules and reports use it, such as <c>batch_norm</c>. Remedies that exclude one another share it.</summary>
    public abstract string Kind { get; }

    public abstract Safety Safety { get; }

    /// <summary>When it may be tried; a phrase.</summary>
    public abstract string Precondition { get; }

    /// <summary>What it does to the gradient, in one sentence.</summary>
    public abstract string Effect { get; }

    /// <summary>Who found it: author and year; or why no source is needed.</summary>
    public abstract string Source { get; }

    /// <summary>
    /// Whether a finding asks for it: because the rule names it, or because it is made for the finding's cause. A remedy whose
    /// precondition is a fault in itself, such as a loss that does not fit the output, answers any finding.
    /// </summary>
    public bool Answers(Finding finding) => finding.Remedies.Contains(Kind) || MadeFor is not { } causes || causes.Contains(finding.Cause);

    /// <summary>Whether its precondition is a fault in itself, so that it is worth a try whatever was found.</summary>
    public bool IsForAnyCause => MadeFor is null;

    /// <summary>The variants that could be tried on this model, the most promising first; none if its precondition does not hold.</summary>
    /// <param name="model">The model, or what earlier remedies have made of it.</param>
    /// <param name="history">What is known of the case.</param>
    public abstract IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history);

    /// <summary>The variants where nothing but findings is at hand.</summary>
    public IEnumerable<Prescription> Propose(ModelDefinition model, IReadOnlyList<Finding> findings) => Propose(model, new CaseHistory(findings));

    /// <summary>One sentence for what Fathom cannot try itself; null if there is nothing to say.</summary>
    public virtual string? Advise(ModelDefinition model, CaseHistory history) => null;

    /// <summary>Causes that it is made for, even where the rule does not name it; null for any.</summary>
    protected virtual ImmutableArray<string>? MadeFor => [];
}

/// <summary>One remedy in one variant.</summary>
/// <param name="Remedy">The remedy.</param>
/// <param name="Name">Short name for tables, such as <c>activation → relu</c>.</param>
/// <param name="Rewrite">Makes the mended model; the given one stays as it is.</param>
public sealed record Prescription(Remedy Remedy, string Name, Func<ModelDefinition, ModelDefinition> Rewrite)
{
    /// <summary>Two proposals of the same variant are the same prescription, whichever call made them.</summary>
    public bool Equals(Prescription? other) => other is not null && Remedy.Kind == other.Remedy.Kind && Name == other.Name;

    public override int GetHashCode() => HashCode.Combine(Remedy.Kind, Name);

    public override string ToString() => Name;
}
