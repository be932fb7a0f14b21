using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The validation loss rises while the training loss goes on falling: the network learns its rows by heart. No fault of the gradient; said
/// so that it is not taken for one.
/// </summary>
public sealed class Overfitting : Rule
{
    /// <summary>Validation loss over its best.</summary>
    private const double Risen = 1.25;

    /// <summary>Epochs since the best.</summary>
    private const int Patience = 3;

    /// <summary>Training loss over that of the best epoch.</summary>
    private const double Falling = 0.9;

    /// <summary>By how much of a constant prediction's loss it must have risen: below that the rise harms nothing.</summary>
    private const double Harm = 0.1;

    public override string Id => "FTH063";

    public override string Problem => "overfitting";

    public override string Threshold => "three epochs or more after its best the validation loss is 25 % above it, and by a tenth of a constant prediction's loss, while the training loss has gone on falling by 10 %";

    public override Finding? Inspect(Observation observation)
    {
        IReadOnlyList<double> validation = observation.Epochs.Validation, training = observation.Epochs.Training;
        if (validation.Count <= Patience)
        {
            return null;
        }
        int best = Enumerable.Range(0, validation.Count).MinBy(epoch => validation[epoch]);
        // The least of the last epochs, so that a single bad one does not count.
        double now = validation.Skip(validation.Count - Patience).Min();
        bool rises = validation.Count - 1 - best >= Patience && now > Risen * validation[best] && now - validation[best] > Harm * observation.ReferenceLoss;
        return rises && training[^1] < Falling * training[best] && training[^1] < 0.8 * validation[^1] ? Describe(observation, best, now) : null;
    }

    private Finding Describe(Observation observation, int best, double now)
    {
        IReadOnlyList<double> validation = observation.Epochs.Validation, training = observation.Epochs.Training;
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Info,
            Cause = Causes.None,
            Layers = [],
            Step = observation.Step.Step,
            Confidence = 0.9,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("validation_over_best", new Evidence(now / validation[best], Risen))
                .Add("training_over_then", new Evidence(training[^1] / training[best], Falling)),
            Explanation =
                $"The validation loss has risen from {Number(validation[best])} (epoch {best + 1}) to {Number(now)}, ×{Number(now / validation[best])} (limit ×{Risen}), while the training loss fell from {Number(training[best])} to {Number(training[^1])}.",
            Action = $"Stop after epoch {best + 1}, or take more data, weight decay or dropout: the gradient is not to blame.",
            Details = "Past its best epoch the network fits what is peculiar to the training rows. Where the share of right answers still grows, only its certainty is at fault, and label smoothing helps.",
            RuledOut = [$"a fault of the gradient: the training loss falls, to {Number(training[^1])}"],
            Remedies = ["weight_decay"],
        };
    }
}
