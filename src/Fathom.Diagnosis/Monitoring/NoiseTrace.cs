using Fathom.Training;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// The gradient without its noise, and the noise, from the gradients of half batches at the same weights, as means over several measurements
/// (one alone is far too noisy): McCandlish et al. 2018, appendix A.1, for batches of the sizes B/2 and B.
/// </summary>
internal sealed class NoiseTrace(int layers)
{
    /// <summary>Measurements before which nothing is said.</summary>
    public const int Settling = 8;

    private const double NewShare = 0.05;

    private readonly double[] variances = new double[layers];
    private double signal, squares;

    /// <summary>Measurements so far.</summary>
    public long Count { get; private set; }

    /// <summary>‖G‖², the squared norm of the mean gradient; by chance it can come out below 0.</summary>
    public double Signal => signal;

    /// <summary>tr Σ of one sample's gradient by each layer's weights.</summary>
    public IReadOnlyList<double> Variances => variances;

    /// <summary>tr Σ / ‖G‖²: the batch at which noise and signal are alike. ∞ where no signal is seen.</summary>
    public double Scale => signal > 0 ? variances.Sum() / signal : double.PositiveInfinity;

    /// <summary>What the scale is at least: with the signal one standard error higher than measured.</summary>
    public double LeastScale
    {
        get
        {
            // As many measurements as an average with this share stands for.
            double independent = Math.Min(Count, 2 / NewShare - 1);
            double error = Math.Sqrt(Math.Max(0, squares - signal * signal) / Math.Max(1, independent));
            return variances.Sum() / Math.Max(double.Epsilon, Math.Max(0, signal) + error);
        }
    }

    /// <param name="dots">g₁·g₂ by layer.</param>
    /// <param name="differences">‖g₁ − g₂‖² by layer.</param>
    /// <param name="rows">Rows of a half.</param>
    public void Add(ReadOnlySpan<double> dots, ReadOnlySpan<double> differences, int rows)
    {
        Count++;
        double share = Math.Max(NewShare, 1.0 / Count), dot = 0;
        for (int i = 0; i < variances.Length; i++)
        {
            variances[i] += share * (differences[i] * rows / 2 - variances[i]);
            dot += dots[i];
        }
        signal += share * (dot - signal);
        squares += share * (dot * dot - squares);
    }

    public IEnumerable<double> Capture() => [Count, signal, squares, .. variances];

    /// <summary>Takes a state over; false if it is none.</summary>
    public bool Restore(double[] state)
    {
        if (state.Length != 3 + variances.Length)
        {
            return false;
        }
        (Count, signal, squares) = ((long)state[0], state[1], state[2]);
        state.AsSpan(3).CopyTo(variances);
        return true;
    }
}
