using Fathom.Diagnosis.Rules;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Preflight.Rules;

/// <summary>At the first update's size the whole run would hardly move a layer: FTH006 before training.</summary>
public sealed class SmallFirstStep : PreflightRule
{
    private const double Movement = 0.1;
    private const double HealthyStep = 1e-3;

    private static readonly Rule Training = new LearningRateTooSmall();

    public override string Id => Training.Id;

    public override string Problem => Training.Problem;

    public override string Threshold => "the first update of every layer is below 0.1 % of its weights, and the run's steps together would move none by 10 %, while the gradient is no worse than 10³ over depth";

    public override Finding? Inspect(PreflightScope scope)
    {
        double[] updates = [.. scope.Layers.Select(layer => layer.Weights!.RelativeUpdate).Where(double.IsFinite)];
        if (updates.Length == 0 || scope.TotalSteps < 1 || !(Math.Abs(scope.Report.TotalDecades) < Forecast.Decades))
        {
            return null;
        }
        double fastest = updates.Max(), reach = fastest * scope.TotalSteps;
        if (!(fastest is > 0 and < HealthyStep && reach < Movement))
        {
            return null;
        }
        return Found(Severity.Warning, Causes.LearningRateTooSmall,
            $"The first step at a learning rate of {Number(scope.Report.LearningRate)} moves even the fastest layer by only {Number(fastest)} of its weights (1e-3 is healthy, CS231n), and all {scope.TotalSteps} steps together by {Percent(reach)} (limit {Percent(Movement)}).",
            $"Raise the rate by a factor of about {Number(Math.Pow(10, Math.Max(1, Math.Round(Math.Log10(HealthyStep / fastest)))))}.",
            $"Measured {scope.Basis}; the whole run is reckoned at the first step's size, all steps going the same way.",
            scope.Layers.Select(layer => layer.Node.Name), 0.6 + 0.3 * Math.Clamp(Math.Log10(Movement / reach) / 2, 0, 1),
            [("largest_relative_update", fastest, HealthyStep), ("movement_in_whole_run", reach, Movement)], ["learning_rate", "optimizer"]);
    }
}
