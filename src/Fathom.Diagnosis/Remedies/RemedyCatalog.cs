using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// All remedies; the list to add a line to. The order is that in which several are applied: output and loss, what enters,
/// structure, functions, weights, training plan; each may depend on the ones before it.
/// </summary>
public static class RemedyCatalog
{
    public static IReadOnlyList<Remedy> All { get; } =
    [
        // What the network says, and how that is judged.
        new OutputCorrection(),
        new LossCorrection(),
        new TargetScaling(),
        new InputScaling(),

        // Functions and structure.
        new ActivationSwap(),
        new MaxoutUnits(),
        new FewerLayers(),
        new BatchNormalization(),
        new LayerNormalization(),
        new ResidualConnections(),
        new BranchScaling(),
        new HighwayGates(),
        new NormBeforeBranch(),
        new DeepNormScaling(),
        new RecurrentCellChange(),

        // Weights at the start.
        new SymmetryBreaking(),
        new MatchedInitialization(),
        new OrthogonalInitialization(),
        new CriticalStart(),
        new UnitVarianceStart(),
        new BiasReset(),
        new OrthogonalRecurrence(),
        new IdentityRecurrence(),
        new ForgetGateOpening(),
        new LayerwisePretraining(),

        // The training plan.
        new TruncatedBackpropagation(),
        new OptimizerSettings(),
        new AdamOptimizer(),
        new MomentumOptimizer(),
        new LearningRateChange(),
        new WarmUp(),
        new RateDecay(),
        new BatchSizeChange(),
        new WeakerRegularization(),
        new WeightDecayAdded(),
        new ClippingRelease(),
        new ClipGradientNorm(),
        new ClipGradientValue(),
        new AdaptiveClipping(),
        new ClipSpikes(),

        // What can only be advised.
        new LowerPrecision(),
    ];

    /// <summary>What Fathom cannot try itself but a finding asks for.</summary>
    public static IEnumerable<string> Advice(ModelDefinition model, CaseHistory history) => All
        .Where(remedy => history.Findings.Any(remedy.Answers))
        .Select(remedy => remedy.Advise(model, history)).OfType<string>();
}
