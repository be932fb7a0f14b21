using Fathom.Training.Data;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>Targets that are all alike, or of a size that the network's first output, about 1, is far from.</summary>
public sealed class UnscaledTarget : AuditRule
{
    private const double Large = 100, Small = 1e-3, Hopeless = 100;

    public override string Id => "FTH022";

    public override string Problem => "unscaled or constant targets";

    public override string Threshold => "an error if all targets are equal; a warning if their root mean square is 100 or more, or their standard deviation below 0.001, where an output begins at about 1; an error if the learning rate times their size is 100 or more with SGD, mse and no clipping, so that the first step throws the hidden layers out of all proportion";

    public override string Cause => Causes.WrongOutputOrLoss;

    public override Finding? Inspect(AuditScope scope)
    {
        if (scope.Rows is not { Kind: TargetKind.Real, Count: > 1 } rows || NonFiniteData.First(rows.Targets) >= 0)
        {
            return null;
        }
        (double mean, double deviation) = MeanAndDeviation(rows.Targets);
        double size = Math.Sqrt(mean * mean + deviation * deviation);
        if (deviation <= 1e-7 * Math.Abs(mean))
        {
            return Found(Severity.Error, $"All targets of '{rows.Name}' are {Number(mean)}: their standard deviation is {Number(deviation)}, where any above 1e-7 of their mean could be learnt.",
                "Check the target column: there is nothing to learn.", [("target_standard_deviation", deviation, 1)], [scope.Output.Name]) with { IsFinal = true };
        }
        Loss loss = scope.Model.Plan.Loss;
        if (loss is not (MeanSquaredError or MeanAbsoluteError or Huber))
        {
            return null;
        }
        (string, double, double)[] evidence = [("target_mean", mean, 0), ("target_standard_deviation", deviation, 1)];
        const string Advice = "Scale the targets to mean 0 and variance 1.";
        string sizes = $"The targets of '{rows.Name}' have mean {Number(mean)} and standard deviation {Number(deviation)}, where the network's output begins at about 0 ± 1";
        if (size >= Large)
        {
            double rate = scope.Model.Plan.Optimizer.LearningRate;
            bool fails = loss is MeanSquaredError && scope.StepFollowsGradient && scope.Model.Plan.Clipping is null && rate * size >= Hopeless;
            return Found(fails ? Severity.Error : Severity.Warning,
                $"{sizes} (limit {Number(Large)}){(fails ? $", and the learning rate times their size is {Number(rate * size)} (limit {Number(Hopeless)})" : "")}.", Advice,
                [.. evidence, ("learning_rate_times_size", rate * size, Hopeless)], [scope.Output.Name], ["target_scaling"], confidence: fails ? 0.9 : 0.8,
                details: fails ? $"With a learning rate of {Number(rate)} the first steps throw the weights out of all proportion." : "Most steps go into getting there, or the gradient is too large.");
        }
        return deviation >= Small ? null
            : Found(Severity.Warning, $"{sizes} (limit {Number(Small)} for the deviation).", Advice, evidence, [scope.Output.Name], ["target_scaling"], confidence: 0.8,
                details: "The differences that count are lost in the noise of the first steps.");
    }

    private static (double Mean, double Deviation) MeanAndDeviation(ReadOnlySpan<float> values)
    {
        double sum = 0, squares = 0;
        foreach (float value in values)
        {
            sum += value;
        }
        double mean = sum / values.Length;
        foreach (float value in values)
        {
            squares += (value - mean) * (value - mean);
        }
        return (mean, Math.Sqrt(squares / values.Length));
    }
}
