using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Schedules;

namespace Fathom.Diagnosis.Preflight;

/// <summary>One step of a range test.</summary>
/// <param name="Rate">Its learning rate.</param>
/// <param name="Loss">The loss of its batch, before the step.</param>
/// <param name="Smoothed">The loss so far, smoothed.</param>
public readonly record struct RangeStep(double Rate, double Loss, double Smoothed);

/// <summary>What a learning-rate range test found.</summary>
/// <param name="Steps">The steps, the rate growing.</param>
/// <param name="Low">The lower end of the suggestion: where the smoothed loss falls fastest; NaN if it never falls.</param>
/// <param name="High">The upper end: a tenth of the rate at which the smoothed loss is least, and at least <paramref name="Low"/>; NaN if it never falls.</param>
/// <param name="Diverged">The rate at which the loss blew up; NaN if it did not.</param>
/// <param name="Status"><c>completed</c>, <c>diverged</c> or <c>interrupted</c>.</param>
public sealed record LearningRateRange(ImmutableArray<RangeStep> Steps, double Low, double High, double Diverged, string Status)
{
    /// <summary>Weight of the past in the smoothed loss.</summary>
    private const double Memory = 0.95;

    /// <summary>Times its least value so far at which the smoothed loss has blown up.</summary>
    private const double Blown = 4;

    /// <summary>
    /// Trains a copy of the model for a few steps whose rate grows exponentially from <paramref name="least"/> to <paramref
    /// name="most"/> (Smith 2017, "Cyclical learning rates for training neural networks", section 3.3), and stops as soon as the
    /// loss blows up. The model and its weights stay as they are.
    /// </summary>
    /// <param name="model">Network and plan; its schedule is set aside.</param>
    /// <param name="data">The data.</param>
    /// <param name="pool">Workers.</param>
    /// <param name="steps">Steps, 20 or more.</param>
    /// <param name="least">First rate, above 0.</param>
    /// <param name="most">Last rate, above <paramref name="least"/>.</param>
    /// <param name="progress">Told the share that is done and the smoothed loss.</param>
    /// <param name="cancellation">Stops after the step in hand.</param>
    public static LearningRateRange Test(ModelDefinition model, DataSplit data, WorkerPool pool, int steps = 200, double least = 1e-6, double most = 10,
        Action<double, double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 20);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(least);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(most, least);
        TrainingPlan plan = model.Plan with { Schedule = ConstantSchedule.Instance, Metrics = default };
        using TrainingSession session = new(model with { Plan = plan }, data, pool, watch: false);
        session.Prepare(null, cancellation);
        List<RangeStep> list = [];
        double average = 0, best = double.PositiveInfinity;
        for (int i = 0; i < steps; i++)
        {
            if (cancellation.IsCancellationRequested)
            {
                return Judge(list, double.NaN, "interrupted");
            }
            double rate = least * Math.Pow(most / least, i / (steps - 1.0));
            session.LearningRateScale = rate / plan.Optimizer.LearningRate;
            double loss = session.Step().Loss;
            average = Memory * average + (1 - Memory) * loss;
            // Corrected for the zero that the average begins with.
            double smoothed = average / (1 - Math.Pow(Memory, i + 1));
            if (!double.IsFinite(smoothed) || (smoothed > Blown * best && i > 10))
            {
                return Judge(list, rate, "diverged");
            }
            best = Math.Min(best, smoothed);
            list.Add(new RangeStep(rate, loss, smoothed));
            progress?.Invoke((i + 1.0) / steps, smoothed);
        }
        return Judge(list, double.NaN, "completed");
    }

    /// <summary>Reads a range off the losses.</summary>
    private static LearningRateRange Judge(List<RangeStep> steps, double diverged, string status)
    {
        // The first steps have nothing to smooth with yet.
        const int settling = 10, window = 5;
        int least = -1, steepest = -1;
        double slope = 0;
        for (int i = settling; i < steps.Count; i++)
        {
            if (least < 0 || steps[i].Smoothed < steps[least].Smoothed)
            {
                least = i;
            }
        }
        for (int i = settling + window; i <= least - window; i++)
        {
            double own = (steps[i + window].Smoothed - steps[i - window].Smoothed) / Math.Log(steps[i + window].Rate / steps[i - window].Rate);
            if (own < slope)
            {
                (slope, steepest) = (own, i);
            }
        }
        // A fall that noise could have made is none: it must take at least 1 % off the loss.
        bool falls = steepest >= 0 && steps[least].Smoothed < steps[settling].Smoothed - 0.01 * Math.Abs(steps[settling].Smoothed);
        double high = falls ? Math.Max(steps[least].Rate / 10, steps[steepest].Rate) : double.NaN;
        double low = falls ? Math.Min(steps[steepest].Rate, high) : double.NaN;
        return new LearningRateRange([.. steps], low, high, diverged, status);
    }
}
