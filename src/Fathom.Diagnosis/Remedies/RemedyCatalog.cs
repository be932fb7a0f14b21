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
        new AddedActivations(),
        new ActivationSwap(),
        new MaxoutUnits(),
        new FewerLayers(),
        new BatchNormalization(),
        new LayerNormalization(),
        new BatchlessNormalization(),
        new ResidualConnections(),
        new BranchScaling(),
        new HighwayGates(),
        new NormBeforeBranch(),
        new DeepNormScaling(),
        new RecurrentCellChange(),
        new DropoutReduction(),

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
        new NormalizationMomentum(),
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

    /// <summary>
    /// The remedies that findings ask for, the most promising first: those whose precondition is a fault in itself, then what
    /// the rules name, in their order, then what is made for the findings' causes.
    /// </summary>
    /// <param name="findings">Findings, causes first.</param>
    public static IReadOnlyList<Remedy> For(IReadOnlyCollection<Finding> findings)
    {
        List<string> named = [.. findings.SelectMany(finding => finding.Remedies).Distinct()];
        return [.. All.Where(remedy => findings.Any(remedy.Answers)).OrderBy(remedy => remedy.IsForAnyCause ? -1 : named.IndexOf(remedy.Kind) is >= 0 and int place ? place : named.Count)];
    }

    /// <summary>What Fathom cannot try itself but a finding asks for.</summary>
    public static IEnumerable<string> Advice(ModelDefinition model, CaseHistory history) => All
        .Where(remedy => history.Findings.Any(remedy.Answers))
        .Select(remedy => remedy.Advise(model, history)).OfType<string>();
}
