using Fathom.Training;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>Training loss, as the mean over an epoch's steps, and validation loss after each epoch.</summary>
internal sealed class EpochTrace
{
    private readonly List<double> training = [], validation = [];
    private double sum;
    private long steps;

    /// <summary>Mean loss over the steps of each epoch.</summary>
    public IReadOnlyList<double> Training => training;

    /// <summary>Loss on the validation data at the end of each epoch.</summary>
    public IReadOnlyList<double> Validation => validation;

    public void Add(in StepResult step)
    {
        sum += step.Loss;
        steps++;
    }

    public void EndEpoch(Evaluation result)
    {
        training.Add(sum / Math.Max(1, steps));
        validation.Add(result.Loss);
        (sum, steps) = (0, 0);
    }

    public IEnumerable<double> Capture() => [sum, steps, .. training, .. validation];

    /// <summary>Takes a state over; false if it is none.</summary>
    public bool Restore(double[] state)
    {
        if (state.Length < 2 || state.Length % 2 != 0)
        {
            return false;
        }
        int epochs = (state.Length - 2) / 2;
        (sum, steps) = (state[0], (long)state[1]);
        training.Clear();
        training.AddRange(state.Skip(2).Take(epochs));
        validation.Clear();
        validation.AddRange(state.Skip(2 + epochs));
        return true;
    }
}
