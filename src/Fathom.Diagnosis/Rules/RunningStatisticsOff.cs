using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs.Ops;
using Fathom.Training;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The network trains with each batch's own mean and variance and is evaluated with running ones, and these are not alike: they lag behind weights that
/// move, or their momentum is so small that they have hardly left their start. Training looks well, evaluation does not.
/// </summary>
public sealed class RunningStatisticsOff : Rule
{
    /// <summary>Loss of the same batch in evaluation over that in training.</summary>
    private const double Factor = 1.5;

    /// <summary>By how much of a constant prediction's loss it must be higher.</summary>
    private const double Harm = 0.25;

    /// <summary>Running mean off by so many of the batch's deviations, or ln of the variance's ratio; the noise of 32 values is 0.18.</summary>
    private const double Off = 0.5;

    /// <summary>Share of the run that statistics may take to settle.</summary>
    private const double Start = 0.3;

    public override string Id => "FTH058";

    public override string Problem => "running statistics are off";

    public override string Threshold => "after 30 % of the run the loss of a training batch is 1.5 times as high with running statistics as with its own, by a quarter of a constant prediction's loss, and half of a layer's running means or variances are off by more than half a standard deviation or a factor of e^½";

    public override Finding? Inspect(Observation observation)
    {
        if (observation.Progress < Start || !observation.Network.Nodes.Any(node => node.Op is BatchNorm))
        {
            return null;
        }
        double evaluated = observation.EvaluationLoss(), trained = observation.TrainingLoss();
        if (!(evaluated > Factor * trained) || evaluated - trained < Harm * observation.ReferenceLoss)
        {
            return null;
        }
        StatisticsGap[] off = [.. observation.MeasureStatistics().Where(gap => Math.Max(gap.Mean, gap.LogVariance) > Off)];
        return off.Length == 0 ? null : Describe(observation, off, evaluated, trained);
    }

    private Finding Describe(Observation observation, StatisticsGap[] off, double evaluated, double trained)
    {
        StatisticsGap worst = off.MaxBy(gap => Math.Max(gap.Mean, gap.LogVariance));
        double momentum = ((BatchNorm)worst.Layer.Op).Momentum;
        // The share of their start that is still in the running statistics.
        double left = Math.Pow(1 - momentum, observation.Step.Step + 1);
        bool useless = evaluated > 0.8 * observation.ReferenceLoss && trained < 0.5 * observation.ReferenceLoss && observation.Progress > 0.5;
        string amount = worst.Mean > worst.LogVariance ? $"running means {Number(worst.Mean)} deviations off" : $"running variances off by a factor of {Number(Math.Exp(worst.LogVariance))}";
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = useless ? Severity.Error : Severity.Warning,
            Cause = Causes.Other,
            Layers = [.. off.Select(gap => gap.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = useless ? 0.9 : 0.75,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("evaluation_over_training_loss", new Evidence(evaluated / trained, Factor))
                .Add("mean_off", new Evidence(worst.Mean, Off))
                .Add("log_variance_off", new Evidence(worst.LogVariance, Off))
                .Add("start_left_in_statistics", new Evidence(left, 0)),
            Explanation = $"The same batch has the loss {Number(trained)} in training and {Number(evaluated)} in evaluation (limit ×{Factor}): {worst.Layer.Name} has {amount}.",
            Action = left > 0.2 ? $"Raise the momentum of batch normalization ({Number(momentum)}; 0.1 is usual), or train longer." : "Lower the learning rate towards the end, or raise the batch, so that the statistics keep up with the weights.",
            Details = $"Running statistics move by the momentum, {Number(momentum)}, towards the batch's each step; {Percent(left)} of their start is left in them. Weights that move far in 1/momentum steps leave them behind. Here the momentum " +
                "is the weight of the batch; in Keras it is 1 minus this.",
            RuledOut = [$"overfitting: the batch is one of training, with the loss {Number(trained)} in training mode"],
            Remedies = ["norm_momentum", "rate_decay", "learning_rate", "layer_norm"],
        };
    }
}
