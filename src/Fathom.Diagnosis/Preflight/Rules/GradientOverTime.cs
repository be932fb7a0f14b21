using Fathom.Diagnosis.Rules;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Preflight.Rules;

/// <summary>
/// The gradient of a recurrent layer over the time steps of a sequence: FTH001 or FTH002 along time. A warning, since what has
/// to be learnt may lie in the last steps.
/// </summary>
/// <param name="vanishes">True for a gradient that fades on its way back to the first step, false for one that grows.</param>
public sealed class GradientOverTime(bool vanishes) : PreflightRule
{
    private static readonly Rule Vanishing = new VanishingGradient(), Exploding = new ExplodingGradient();

    public override string Id => (vanishes ? Vanishing : Exploding).Id;

    public override string Problem => (vanishes ? Vanishing : Exploding).Problem;

    public override string Threshold => vanishes
        ? "the norm of the gradient by a recurrent layer's state falls by 10³ or more from the time step that is read last to the first"
        : "the norm of the gradient by a recurrent layer's state grows by 10³ or more from the time step that is read last to the first";

    public override Finding? Inspect(PreflightScope scope)
    {
        StateGradient[] layers = [.. scope.Report.Nodes.Select(node => node.OverTime).OfType<StateGradient>().Where(layer => layer.LogGradients.Length > 1 && layer.LastReached >= 0)];
        StateGradient[] found = [.. layers.Where(layer => vanishes ? layer.Ratio <= 1e-3 : layer.Ratio >= 1e3)];
        if (found.Length == 0)
        {
            return null;
        }
        StateGradient worst = vanishes ? found.MinBy(layer => layer.Ratio)! : found.MaxBy(layer => layer.Ratio)!;
        int steps = worst.LogGradients.Length;
        double per = Math.Pow(worst.Ratio, 1.0 / Math.Max(1, steps - 1));
        string memory = vanishes && per is > 0 and < 1 ? $" That is a memory of about {Number(-1 / Math.Log(per))} steps: what lies further back is hardly learnt." : "";
        double limit = vanishes ? 1e-3 : 1e3;
        double lost = scope.Report.Comparable ? scope.Prediction.Recurrent.FirstOrDefault(layer => layer.Layer.Name == worst.Layer)?.DecadesLost ?? double.NaN : double.NaN;
        string theory = double.IsFinite(lost) ? $"; theory expects {Number(Math.Pow(10, -lost))}" : "";
        return Found(Severity.Warning, vanishes ? Causes.Vanishing : Causes.Exploding,
            $"Over the {steps} time steps of {worst.Layer} the gradient's norm {(vanishes ? "falls" : "grows")} to {Number(worst.Ratio)} of its size on its way back to the first (limit {Number(limit)}{theory}), measured {scope.Basis}.",
            vanishes ? "Use an LSTM or GRU with a forget bias of 1 or more, orthogonal recurrent weights, or shorter sequences." : "Bound the gradient's norm, or use orthogonal recurrent weights.",
            $"Each time step multiplies the gradient's norm by {Number(per)}.{memory}",
            found.Select(layer => layer.Layer), 0.8, [("first_over_last_step", worst.Ratio, limit), ("factor_per_step", per, 1)],
            vanishes ? ["recurrent", "recurrent_initialization", "forget_gate"] : ["recurrent_initialization", "clip_norm", "truncated_bptt"]);
    }
}
