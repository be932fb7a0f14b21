using Fathom.Diagnosis.Monitoring;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// A pure function from prediction and measurements to a finding. Never an accuracy gate: a rule looks at gradients,
/// activations, updates and losses. One file per rule; <see cref="RuleCatalog"/> lists them.
/// </summary>
public abstract class Rule
{
    /// <summary>Stable identifier, such as <c>FTH001</c>; its page is <c>docs/rules/ID.md</c>.</summary>
    public abstract string Id { get; }

    /// <summary>The problem in a few words.</summary>
    public abstract string Problem { get; }

    /// <summary>The threshold and where it comes from.</summary>
    public abstract string Threshold { get; }

    /// <summary>
    /// True for a rule that must see every step, not only the inspected ones. It is asked before the step enters the
    /// layers' traces, and must allocate nothing when nothing is wrong.
    /// </summary>
    public virtual bool EveryStep => false;

    /// <summary>Inspections in a row at which the rule must speak before its finding is certain.</summary>
    public virtual int Persistence => 3;

    /// <summary>
    /// Share of the run before which its errors do not count, but for one that training cannot end: first steps are longer than later ones, smoothed values
    /// remember five to ten steps, and no loss has had time to fall. Of the errors that were withdrawn from healthy networks of the tuning part of
    /// bench/corpus most had been stated in the first 1 %.
    /// </summary>
    public virtual double Beginning => 0.025;

    /// <summary>A finding, or null if nothing is wrong.</summary>
    public abstract Finding? Inspect(Observation observation);
}

/// <summary>All rules; the list to add a line to.</summary>
public static class RuleCatalog
{
    public static IReadOnlyList<Rule> All { get; } =
    [
        new NonFiniteValue(),
        new ExplodingGradient(),
        new VanishingGradient(),
        new SaturatedActivation(),
        new DeadRelu(),
        new LearningRateTooSmall(),
        new SymmetricUnits(),
        new LearningRateTooLarge(),
        new WeightDecayDominates(),
        new VanishingOverTime(),
        new ExplodingOverTime(),
        new StuckGate(),
        new DyingUnits(),
        new AttentionEntropyCollapse(),
        new AttentionLogitGrowth(),
        new TokenCollapse(),
        new BatchNormExplosion(),
        new LossSpike(),
        new Divergence(),
        new StepsOvershoot(),
        new EpsilonFloor(),
        new StaleSecondMoment(),
        new ShortMemory(),
        new LongMomentum(),
        new SmallNormalizationBatch(),
        new RunningStatisticsOff(),
        new ClippingDominates(),
        new GradientNoise(),
        new StuckLayer(),
        new LabelNoise(),
        new Overfitting(),
        new SlowConvergence(),
        new NotLearning(),
        new FallsShort(),
        new NearOverflow(),
        new NarrowFormat(),
    ];
}
