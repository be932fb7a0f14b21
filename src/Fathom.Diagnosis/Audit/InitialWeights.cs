using System.Collections.Immutable;
using Fathom.Diagnosis.Causation;
using Fathom.Diagnosis.Remedies;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>
/// Initial weights of a scale that theory expects to fade, to saturate or to blow up what passes through them. By itself a
/// warning: some networks learn in spite of it. Where training then fails in a way that such weights bring about, they are
/// the cause.
/// </summary>
public sealed class InitialWeights : AuditRule
{
    /// <summary>Decades over depth that theory may expect with weights that fit.</summary>
    private const double Sound = 1.5;

    internal const string RuleId = "FTH034";

    /// <summary>Evidence: the weights' root mean square over that of a matched initialization.</summary>
    internal const string Ratio = "weights_over_matched";

    public override string Id => RuleId;

    public override string Problem => "initial weights of the wrong scale";

    public override string Threshold => "initial weights of twice the size or a third of what suits the activation (He et al. 2015, Glorot and Bengio 2010; recurrent weights: spectral radius 1) in half of the hidden layers, or of ten times or a thirtieth in one, where theory expects the gradient to change by 10^1.5 over depth or half of the outputs to be saturated, and no such change with weights that fit";

    public override string Cause => Causes.BadInitialization;

    public override Finding? Inspect(AuditScope scope)
    {
        InitialScale scale = InitialScale.Of(scope.Model.Graph, scope.Prediction);
        if (scope.Prediction is null || !(scale.AreTooLarge || scale.AreTooSmall) || !IsMendedByMatching(scope))
        {
            return null;
        }
        ImmutableArray<ScaledLayer> off = scale.AreTooLarge ? scale.TooLarge : scale.TooSmall;
        ScaledLayer worst = off.MaxBy(layer => Math.Abs(layer.LogRatio));
        double ratio = Math.Pow(10, worst.LogRatio), decades = scope.Prediction.Depth.TotalDecades;
        return Found(Severity.Warning,
            $"The initial weights of {worst.Layer.Name} are {Number(ratio)} times what suits its activation (limits 1/3 and 2; He et al. 2015, Glorot and Bengio 2010); theory expects the gradient's norm to change by {Factor(decades)} over depth.",
            "Initialise for the activation: He for the ReLU family, Xavier for tanh and sigmoid.",
            [(Ratio, ratio, 1), ("layers_off", off.Length, 0), ("expected_decades", decades, 0)],
            [.. off.Select(layer => layer.Layer.Name)], ["initialization", "batch_norm"],
            details: scale.AreTooLarge
                ? "Weights that are too large make the signal grow from layer to layer, or push bounded activations into saturation; in a recurrent layer they make the state chaotic."
                : "Weights that are too small make signal and gradient fade from layer to layer.");
    }

    /// <summary>With weights that fit, theory expects the gradient to keep its size: else depth or activation are to blame, as in a deep chain of sigmoids.</summary>
    private static bool IsMendedByMatching(AuditScope scope) =>
        scope.Rows is null || MatchedInitialization.TryRewrite(scope.Model) is not { } matched || Math.Abs(WatchedRun.Predict(matched, scope.Rows).Depth.TotalDecades) <= Sound;
}
