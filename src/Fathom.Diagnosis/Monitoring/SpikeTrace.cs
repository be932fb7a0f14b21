using Fathom.Training;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>A step whose loss or gradient stands out from the steps before it.</summary>
/// <param name="Step">The step.</param>
/// <param name="OfLoss">Whether it is the loss that stands out, or the gradient's norm.</param>
/// <param name="Value">The loss or the norm.</param>
/// <param name="Median">The median over the steps before it.</param>
/// <param name="Score">Robust standard deviations of its logarithm above that of the steps before.</param>
internal readonly record struct Spike(long Step, bool OfLoss, double Value, double Median, double Score);

/// <summary>
/// Finds spikes of the loss and of the gradient's norm, step by step. Logarithms are compared, since both span decades, and
/// against the median and its deviation, which spikes do not move. Allocates nothing after construction.
/// </summary>
internal sealed class SpikeTrace
{
    /// <summary>Steps that a step is held against.</summary>
    public const int Window = 64;

    /// <summary>Robust standard deviations: one normal number in a billion lies beyond.</summary>
    public const double Score = 6;

    /// <summary>Times the median that a loss must reach, and a norm: batches differ that much in a small network's last epochs.</summary>
    public const double LossFactor = 3, NormFactor = 10;

    /// <summary>Steps before which nothing is judged.</summary>
    private const int Settling = 32;

    /// <summary>What belongs to one spike: the steps in which the network recovers.</summary>
    private const int Together = 10;

    /// <summary>Natural logarithm: a series that hardly varies is taken to vary by 5 %.</summary>
    private const double LeastDeviation = 0.05;

    /// <summary>Share of a constant prediction's loss below which a jump harms nothing.</summary>
    private const double Harmless = 0.1;

    private readonly RunningMedian losses = new(Window), norms = new(Window);
    private readonly long[] steps = new long[8];
    private double firstNorm = double.NaN;
    private long lastSpiking = long.MinValue / 2;

    /// <summary>Spikes so far.</summary>
    public long Count { get; private set; }

    /// <summary>The newest; its score is NaN before the first.</summary>
    public Spike Latest { get; private set; } = new(-1, true, double.NaN, double.NaN, double.NaN);

    /// <summary>The natural logarithms of the gradient's norm before clipping, of the last steps.</summary>
    public RunningMedian LogNorms => norms;

    /// <summary>What a rule said of <see cref="Latest"/>, so that it need not make it anew each step.</summary>
    public Finding? Said { get; set; }

    /// <summary>How many of the last eight spikes came after a step.</summary>
    public int Since(long step)
    {
        int count = 0;
        for (int i = 0; i < Math.Min(Count, steps.Length); i++)
        {
            count += steps[i] > step ? 1 : 0;
        }
        return count;
    }

    /// <summary>Takes in a step.</summary>
    /// <param name="step">The step.</param>
    /// <param name="reference">Loss of a constant prediction.</param>
    public void Add(in StepResult step, double reference)
    {
        double loss = step.Loss > 0 ? Math.Log(step.Loss) : double.NaN, norm = step.GradientNorm > 0 ? Math.Log(step.GradientNorm) : double.NaN;
        if (losses.Count >= Settling && step.Loss > Harmless * reference && IsSpike(losses, loss, LossFactor))
        {
            Take(new Spike(step.Step, true, step.Loss, Math.Exp(losses.Median), losses.Score(loss, LeastDeviation)));
        }
        else if (norms.Count >= Settling && norm > firstNorm && IsSpike(norms, norm, NormFactor))
        {
            Take(new Spike(step.Step, false, step.GradientNorm, Math.Exp(norms.Median), norms.Score(norm, LeastDeviation)));
        }
        losses.Add(loss);
        norms.Add(norm);
        if (double.IsNaN(firstNorm) && norms.Count == Settling)
        {
            firstNorm = norms.Median;
        }
    }

    public IEnumerable<double> Capture() =>
    [
        Count, firstNorm, lastSpiking, Latest.Step, Latest.OfLoss ? 1 : 0, Latest.Value, Latest.Median, Latest.Score,
        .. steps.Select(step => (double)step), losses.Count, .. losses.Capture(), .. norms.Capture(),
    ];

    /// <summary>Takes a state over; false if it is none.</summary>
    public bool Restore(double[] state)
    {
        int head = 8 + steps.Length;
        if (state.Length <= head || !(state[head] >= 0 && state[head] <= state.Length - head - 1))
        {
            return false;
        }
        (Count, firstNorm, lastSpiking, Said) = ((long)state[0], state[1], (long)state[2], null);
        Latest = new Spike((long)state[3], state[4] != 0, state[5], state[6], state[7]);
        for (int i = 0; i < steps.Length; i++)
        {
            steps[i] = (long)state[8 + i];
        }
        losses.Restore(state.Skip(head + 1).Take((int)state[head]));
        norms.Restore(state.Skip(head + 1 + (int)state[head]));
        return true;
    }

    private static bool IsSpike(RunningMedian series, double value, double factor) =>
        value - series.Median > Math.Log(factor) && series.Score(value, LeastDeviation) > Score;

    private void Take(Spike spike)
    {
        bool goesOn = spike.Step - lastSpiking <= Together;
        lastSpiking = spike.Step;
        if (goesOn && !(spike.OfLoss && !Latest.OfLoss) && spike.Value <= Latest.Value)
        {
            return;
        }
        if (!goesOn)
        {
            steps[Count % steps.Length] = spike.Step;
            Count++;
        }
        (Latest, Said) = (spike, null);
    }
}
