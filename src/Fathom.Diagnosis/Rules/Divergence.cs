using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The loss goes up for long instead of down, and ends above where it began, or a network that had learnt loses it all again. It
/// stays a number, so that nothing else stops the run.
/// </summary>
public sealed class Divergence : Rule
{
    /// <summary>Times the start, or a constant prediction's loss where that is more, that a loss has no business above.</summary>
    private const double Above = 2;

    /// <summary>Inspections, of about 200 in a run, for which the loss must have been up.</summary>
    private const int Long = 10;

    /// <summary>Share of the run for which the loss must be back up, since a spike may take as long to heal; and steps in a short run, up to a larger share.</summary>
    private const double Back = 0.08, ShortBack = 0.15;

    /// <inheritdoc cref="Back"/>
    private const int BackSteps = 30;

    /// <summary>Loss now over that of <see cref="Long"/> inspections ago, from which on it is still rising.</summary>
    private const double Rising = 1.02;

    /// <summary>Shares of a constant prediction's loss: what had been learnt, and what is left when it is lost.</summary>
    private const double Learnt = 0.4, Lost = 0.8;

    public override string Id => "FTH051";

    public override string Problem => "the loss diverges";

    public override string Threshold => "for 5 % of the run the loss is above twice its start and twice a constant prediction's, and still rises; or for 8 % (30 steps in a short run, up to 15 % of it) above 80 % of a constant prediction's after it had been below 40 %";

    public override Finding? Inspect(Observation observation)
    {
        IReadOnlyList<double> recent = observation.Losses.Newest(Long + 1);
        double start = Math.Max(observation.FirstLoss, double.IsNaN(observation.ConstantLoss) ? 0 : observation.ConstantLoss);
        if (recent.Count <= Long || !(start > 0))
        {
            return null;
        }
        double least = recent.Min();
        bool up = least > Above * start, rising = up && recent[^1] > Rising * recent[0];
        // Once said, it stays said while the loss stays up there: it has come to rest, not back.
        bool rises = rising || up && observation.Open.Any(finding => finding.Rule == Id);
        int back = InspectionsBack(observation.TotalSteps);
        IReadOnlyList<double> longer = observation.Losses.Newest(back + 1);
        bool lost = longer.Count > back && observation.Unlearnt(longer.Min()) > Lost && observation.Unlearnt(observation.Losses.Least) < Learnt;
        return rises || lost ? Describe(observation, rises, rising, start) : null;
    }

    private static int InspectionsBack(long steps) =>
        (int)Math.Ceiling(Math.Max(Back * steps, Math.Min(BackSteps, ShortBack * steps)) / Math.Max(1, steps / 200));

    private Finding Describe(Observation observation, bool rises, bool rising, double start)
    {
        DepthFit fit = observation.GradientOverDepth;
        bool overDepth = fit.Layers >= 3 && fit.Decades <= -ExplodingGradient.Decades;
        double best = observation.Losses.Least;
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = overDepth ? Causes.Exploding : Causes.LearningRateTooLarge,
            Layers = [],
            Step = observation.Step.Step,
            Confidence = rises ? 0.9 : 0.8,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("loss_over_start", new Evidence(observation.Loss / start, Above))
                .Add("loss_over_best", new Evidence(observation.Loss / best, 1)),
            Explanation = rises
                ? $"The loss has risen to {Number(observation.Loss)}, ×{Number(observation.Loss / start)} the start or a constant prediction's ({Number(start)}; limit ×{Above}), and {(rising ? "goes on rising" : "stays up there")}; its best was {Number(best)}."
                : $"The loss had come down to {Number(best)} and is back at {Number(observation.Loss)}, {PartOf(observation.Loss / observation.ReferenceLoss)} a constant prediction's (limit {Percent(Lost)}): what was learnt is lost.",
            Action = $"Lower the learning rate ({Number(observation.Step.LearningRate)}) by a factor of 3 to 10{(observation.Model.Plan.Clipping is null ? ", and clip the gradient's norm" : "")}.",
            Details = "Beyond 2 over the curvature each step along a direction overshoots by more than it gains, and the error along it grows from step to step. Adam and clipping bound the step, " +
                "so that the loss climbs slowly instead of overflowing.",
            RuledOut = [overDepth || fit.Layers < 3 ? $"numerical failure: the loss is finite, {Number(observation.Loss)}"
                : $"explosion over depth: the gradient's norm changes by ×{Number(fit.FactorPerLayer)} per layer on its way back"],
            Remedies = ["learning_rate", "clip_norm", "optimizer"],
        };
    }
}
