using Fathom.Training;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// What single steps do to the loss of their own batch, measured now and then with one more forward pass: whether they are too long or too
/// short for the curvature along them.
/// </summary>
internal sealed class CurvatureTrace
{
    /// <summary>Measurements that count.</summary>
    private const int Window = 9;

    /// <summary>Measurements before which nothing is said.</summary>
    private const int Settling = 5;

    private const double NewShare = 0.15;

    /// <summary>log10 of a sharpness that is not told from 0: the loss falls along a straight line.</summary>
    private const double Straight = -4;

    private readonly RunningMedian logs = new(Window);
    private double raised;
    private long count;

    /// <summary>
    /// ΔwᵀHΔw / −g·Δw, the median over the last steps that were measured; above 2 a step raises the loss of its own batch (for gradient descent
    /// this is rate × curvature, and 2 the edge of stability; Cohen et al. 2021). NaN as long as too few are measured.
    /// </summary>
    public double Sharpness => count < Settling || logs.Count == 0 ? double.NaN : Math.Pow(10, logs.Median);

    /// <summary>Share of the steps measured that raised the loss of their own batch, uphill steps included.</summary>
    public double RaisedShare => count < Settling ? double.NaN : raised;

    public void Add(in StepMeasurement step)
    {
        count++;
        raised += Math.Max(NewShare, 1.0 / count) * ((step.Factor == 1 && step.Change > 0 ? 1 : 0) - raised);
        if (double.IsFinite(step.Sharpness))
        {
            logs.Add(Math.Max(Straight, step.Sharpness > 0 ? Math.Log10(step.Sharpness) : Straight));
        }
    }

    public IEnumerable<double> Capture() => [count, raised, .. logs.Capture()];

    /// <summary>Takes a state over; false if it is none.</summary>
    public bool Restore(double[] state)
    {
        if (state.Length < 2)
        {
            return false;
        }
        (count, raised) = ((long)state[0], state[1]);
        logs.Restore(state.Skip(2));
        return true;
    }
}
