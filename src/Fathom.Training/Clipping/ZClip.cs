using Fathom.Training.Execution;

namespace Fathom.Training.Clipping;

/// <summary>
/// Clips spikes only. The norm g over all gradients has a moving mean μ and deviation σ; where z = (g − μ) / σ is above
/// the threshold z₀, the norm becomes μ + z₀² σ / z, the smaller the larger the spike. The clipped norm is what mean and
/// deviation then follow. They start as those of the first steps, in which nothing is clipped. A norm that is no finite
/// number does not count. Kumar et al. 2025, algorithm 1.
/// </summary>
/// <param name="Threshold">z₀, how many deviations make a spike; greater than 0.</param>
/// <param name="Alpha">Decay of mean and squared deviation; from 0 to below 1.</param>
/// <param name="Warmup">Steps that are only watched; 2 or more.</param>
public sealed record ZClip(double Threshold = 2.5, double Alpha = 0.97, int Warmup = 25) : GradientClipping
{
    // The state. During warm-up the variance is a sum that is still to be divided by the count.
    private const int Count = 0;
    private const int Mean = 1;
    private const int Variance = 2;

    public override string Kind => "zclip";

    public override int StateLength(IReadOnlyList<ParameterSlice> slices) => 3;

    public override void Apply<T>(ParameterStore<T> store, double globalNorm, Span<double> state)
    {
        if (state[Count] < Warmup)
        {
            Watch(globalNorm, state);
            return;
        }
        double deviation = Math.Sqrt(state[Variance]);
        double z = (globalNorm - state[Mean]) / deviation;
        double norm = z > Threshold ? state[Mean] + Threshold * Threshold * deviation / z : globalNorm;
        Shrink(store.Gradients.Span, norm == globalNorm ? 1 : norm / globalNorm);
        if (double.IsFinite(globalNorm))
        {
            state[Mean] = Alpha * state[Mean] + (1 - Alpha) * norm;
            state[Variance] = Alpha * state[Variance] + (1 - Alpha) * (norm - state[Mean]) * (norm - state[Mean]);
        }
    }

    public override void Validate()
    {
        Require(Threshold > 0 && !double.IsInfinity(Threshold), "threshold", Threshold, "greater than 0 and finite");
        Require(Alpha >= 0 && Alpha < 1, "alpha", Alpha, "at least 0 and below 1");
        Require(Warmup >= 2, "warmup", Warmup, "2 or more");
    }

    /// <summary>Mean and squared deviation of the first norms. Welford 1962.</summary>
    private void Watch(double norm, Span<double> state)
    {
        if (!double.IsFinite(norm))
        {
            return;
        }
        state[Count]++;
        double distance = norm - state[Mean];
        state[Mean] += distance / state[Count];
        state[Variance] += distance * (norm - state[Mean]);
        if (state[Count] >= Warmup)
        {
            state[Variance] /= state[Count];
        }
    }
}
