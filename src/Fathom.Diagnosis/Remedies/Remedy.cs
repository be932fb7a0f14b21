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

    /// <summary>Layers or connections are added.</summary>
    ChangesStructure,
}

/// <summary>
/// A cure: when it may be tried, and the rewrite of network or training plan that it is. One file per remedy;
/// <see cref="RemedyCatalog"/> lists them.
/// </summary>
public abstract class Remedy
{
    /// <summary>Stable name, as rules and reports use it, such as <c>batch_norm</c>.</summary>
    public abstract string Kind { get; }

    public abstract Safety Safety { get; }

    /// <summary>What it does to the gradient, in one sentence.</summary>
    public abstract string Effect { get; }

    /// <summary>The variants that could be tried on this model; none if its precondition does not hold.</summary>
    public abstract IEnumerable<Prescription> Propose(ModelDefinition model, IReadOnlyList<Finding> findings);
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

/// <summary>
/// All remedies; the list to add a line to. The order is that in which several are applied: functions, structure, weights,
/// training plan; each may depend on the ones before it.
/// </summary>
public static class RemedyCatalog
{
    public static IReadOnlyList<Remedy> All { get; } =
    [
        new ActivationSwap(),
        new BatchNormalization(),
        new ResidualConnections(),
        new MatchedInitialization(),
        new OrthogonalInitialization(),
        new AdamOptimizer(),
        new LearningRateChange(),
        new ClipGradientNorm(),
    ];
}
