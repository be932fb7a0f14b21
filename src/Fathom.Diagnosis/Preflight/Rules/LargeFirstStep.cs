using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Preflight.Rules;

/// <summary>The optimizer's first update replaces a good part of the weights.</summary>
public sealed class LargeFirstStep : PreflightRule
{
    /// <summary>‖Δw‖/‖w‖; 300 times the 1e-3 of healthy training, as FTH002 has it.</summary>
    private const double Violent = 0.3;

    private const double Healthy = 1e-3;

    public override string Id => "FTH008";

    public override string Problem => "first step too large";

    public override string Threshold => "the first update of half of the layers, or of three layers, is more than 30 % of their weights; 0.1 % is healthy (CS231n notes)";

    public override Finding? Inspect(PreflightScope scope)
    {
        NodeMeasurement[] moved = [.. scope.Layers.Where(layer => double.IsFinite(layer.Weights!.RelativeUpdate))];
        NodeMeasurement[] violent = [.. moved.Where(layer => layer.Weights!.RelativeUpdate > Violent)];
        if (violent.Length == 0 || (violent.Length < 3 && 2 * violent.Length < moved.Length))
        {
            return null;
        }
        NodeMeasurement worst = violent.MaxBy(layer => layer.Weights!.RelativeUpdate)!;
        double update = worst.Weights!.RelativeUpdate;
        return Found(Severity.Warning, Causes.LearningRateTooLarge,
            $"The first step at a learning rate of {Number(scope.Report.LearningRate)} would move {worst.Node.Name} by {Percent(update)} of its weights (limit {Percent(Violent)}; 0.1 % is healthy, CS231n), and {violent.Length} of {moved.Length} layers beyond the limit.",
            "Lower the rate ('fathom check --lr-range' finds one), begin with a warm-up, or clip the gradient's norm.",
            $"Measured {scope.Basis}, where the gradient's norm is {Number(scope.Report.GradientNorm)}.",
            violent.Select(layer => layer.Node.Name), 0.7, [("largest_relative_update", update, Healthy), ("layers", violent.Length, 0)], ["learning_rate", "warmup", "clip_norm"]);
    }
}
