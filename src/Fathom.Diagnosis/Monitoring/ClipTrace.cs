using Fathom.Training;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>How often and how hard the gradient was clipped, over about the last hundred steps.</summary>
internal sealed class ClipTrace
{
    private const double NewShare = 0.02;

    private long steps, clippedSteps;

    /// <summary>Share of the steps in which clipping changed the gradient; NaN before the first step.</summary>
    public double Share { get; private set; } = double.NaN;

    /// <summary>log10 of the norm before clipping over that after it, as a mean over the clipped steps; 0 without any.</summary>
    public double LogRatio { get; private set; }

    /// <summary>Steps so far.</summary>
    public long Steps => steps;

    public void Add(in StepResult step)
    {
        if (!double.IsFinite(step.GradientNorm) || !(step.ClippedNorm > 0))
        {
            return;
        }
        bool clipped = step.ClippedNorm < 0.999 * step.GradientNorm;
        steps++;
        // A plain mean at first, so that the first step does not count for more than the others.
        Share = steps == 1 ? (clipped ? 1 : 0) : Share + Math.Max(NewShare, 1.0 / steps) * ((clipped ? 1 : 0) - Share);
        if (clipped)
        {
            clippedSteps++;
            LogRatio += Math.Max(NewShare, 1.0 / clippedSteps) * (Math.Log10(step.GradientNorm / step.ClippedNorm) - LogRatio);
        }
    }

    public IEnumerable<double> Capture() => [steps, clippedSteps, Share, LogRatio];

    /// <summary>Takes a state over; false if it is none.</summary>
    public bool Restore(double[] state)
    {
        if (state.Length != 4)
        {
            return false;
        }
        (steps, clippedSteps, Share, LogRatio) = ((long)state[0], (long)state[1], state[2], state[3]);
        return true;
    }
}
