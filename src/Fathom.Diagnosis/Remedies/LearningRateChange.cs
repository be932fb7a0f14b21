using System.Collections.Immutable;
using Fathom.Training;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Takes smaller steps where training blows up, larger ones where nothing moves, and both where it is not known which. The
/// rate is that of a range test if one may be run, else the one at which a step would change 10⁻³ of the weights by what the
/// run measured; then the usual one of the optimizer, and powers of ten.
/// </summary>
public sealed class LearningRateChange : Remedy
{
    /// <summary>‖Δw‖/‖w‖ of a healthy step (CS231n notes).</summary>
    private const double HealthyStep = 1e-3;

    /// <summary>Two rates within this factor are one.</summary>
    private const double Same = 2;

    private const int Most = 3;

    public override string Kind => "learning_rate";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "steps that are too large or too small";

    public override string Effect => "a step of about 10⁻³ of the weights neither overshoots nor stands still";

    public override string Source => "Smith 2017, section 3.3 (range test); CS231n notes (10⁻³)";

    protected override ImmutableArray<string>? MadeFor => [Causes.LearningRateTooLarge, Causes.LearningRateTooSmall];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        double now = model.Plan.Optimizer.LearningRate;
        bool slow = history.Has(Causes.LearningRateTooSmall), fast = history.Has(Causes.LearningRateTooLarge) || !slow;
        List<double> rates = [];
        foreach (double rate in Candidates(model, history, now, slow, fast))
        {
            double rounded = Rounded.To(rate, 2);
            bool right = (slow && rounded >= Same * now) || (fast && rounded <= now / Same);
            if (right && double.IsFinite(rounded) && rounded > 0 && rates.Count < Most && rates.All(other => rounded >= Same * other || other >= Same * rounded))
            {
                rates.Add(rounded);
            }
        }
        foreach (double rate in rates)
        {
            yield return new Prescription(this, $"learning rate {Number(rate)}", old => old with
            {
                Plan = old.Plan with { Optimizer = old.Plan.Optimizer with { LearningRate = rate } },
            });
        }
    }

    /// <summary>Rates worth a try, the best founded first.</summary>
    private static IEnumerable<double> Candidates(ModelDefinition model, CaseHistory history, double now, bool slow, bool fast)
    {
        if (history.Range(model) is { } range && double.IsFinite(range.High))
        {
            // The upper end is too much for one network in three, the lower too little; chosen on the tuning half of bench/corpus.
            yield return Math.Sqrt(range.Low * range.High);
        }
        else if (history.Measured("typical_relative_update", "largest_relative_update") is > 0 and var step)
        {
            yield return now * HealthyStep / step;
        }
        yield return OptimizerParts.UsualRate(model.Plan.Optimizer);
        foreach (double factor in (double[])(slow && fast ? [0.1, 10, 0.01, 100] : slow ? [10, 100] : [0.1, 0.01]))
        {
            yield return now * factor;
        }
    }
}
