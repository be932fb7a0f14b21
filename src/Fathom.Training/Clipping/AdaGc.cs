using Fathom.Training.Execution;

namespace Fathom.Training.Clipping;

/// <summary>
/// Clips each parameter's gradient against its own past: g is multiplied by h = min(1, λ·γ / ‖g‖), and γ follows as
/// β·γ + (1 − β)·‖h·g‖. In the first steps the norm over all gradients is clipped instead, and γ is the least norm of
/// the parameter so far. A gradient of 0 or of no finite norm leaves γ alone, so that a parameter which starts without a
/// gradient is not held at 0. Wang et al. 2025, algorithm 1.
/// </summary>
/// <param name="Relative">λ, how far a norm may be above the past; greater than 0, commonly a little above 1.</param>
/// <param name="Beta">β, from 0 to below 1.</param>
/// <param name="Warmup">Steps in which the norm over all gradients is clipped; 0 or more.</param>
/// <param name="MaxNorm">The bound of that norm; greater than 0.</param>
public sealed record AdaGc(double Relative = 1.05, double Beta = 0.98, int Warmup = 100, double MaxNorm = 1) : GradientClipping
{
    public override string Kind => "adagc";

    /// <summary>The number of steps so far, then γ of each parameter; 0 for none yet.</summary>
    public override int StateLength(IReadOnlyList<ParameterSlice> slices) => 1 + slices.Count;

    public override void Apply<T>(ParameterStore<T> store, double globalNorm, Span<double> state)
    {
        bool warm = state[0] >= Warmup;
        if (!warm)
        {
            Shrink(store.Gradients.Span, globalNorm <= MaxNorm ? 1 : MaxNorm / globalNorm);
        }
        for (int i = 0; i < store.Slices.Count; i++)
        {
            if (store.Slices[i].Trainable)
            {
                Follow<T>(store.Gradient(store.Slices[i]).Span, ref state[1 + i], warm);
            }
        }
        state[0] = Math.Min(state[0] + 1, Warmup);
    }

    public override void Validate()
    {
        Require(Relative > 0 && !double.IsInfinity(Relative), "relative", Relative, "greater than 0 and finite");
        Require(Beta >= 0 && Beta < 1, "beta", Beta, "at least 0 and below 1");
        Require(Warmup >= 0, "warmup", Warmup, "0 or more");
        Require(MaxNorm > 0, "max_norm", MaxNorm, "greater than 0");
    }

    private void Follow<T>(Span<T> gradient, ref double past, bool warm) where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        double norm = GradientNorm.Of<T>(gradient);
        bool counts = norm > 0 && double.IsFinite(norm);
        if (past == 0)
        {
            past = counts ? norm : 0;
        }
        else if (warm)
        {
            double clipped = norm <= Relative * past ? norm : Relative * past;
            Shrink(gradient, clipped == norm ? 1 : clipped / norm);
            past = counts ? Beta * past + (1 - Beta) * clipped : past;
        }
        else if (counts)
        {
            past = Math.Min(past, norm);
        }
    }
}
