using Fathom.Training.Execution;

namespace Fathom.Training.Clipping;

/// <summary>
/// Adaptive gradient clipping: where a unit's gradient norm is above factor · max(its weight norm, ε), it is scaled down
/// to that. A unit is one index of axis 0, or all of a vector. Brock et al. 2021, equation 3.
/// </summary>
/// <param name="Factor">Largest allowed ratio of gradient to weight; greater than 0.</param>
/// <param name="Epsilon">Least weight norm, so that units that start at 0 can move; greater than 0.</param>
public sealed record ClipAdaptively(double Factor = 0.01, double Epsilon = 1e-3) : GradientClipping
{
    public override string Kind => "agc";

    public override void Apply<T>(ParameterStore<T> store, double globalNorm, Span<double> state)
    {
        for (int i = 0; i < store.Slices.Count; i++)
        {
            ParameterSlice slice = store.Slices[i];
            if (!slice.Trainable)
            {
                continue;
            }
            int units = slice.Shape.Rank <= 1 ? 1 : slice.Shape[0].Size;
            int length = slice.Length / Math.Max(1, units);
            Span<T> gradients = store.Gradient(slice);
            Span<T> values = store.Value(slice);
            for (int unit = 0; unit < units; unit++)
            {
                Span<T> gradient = gradients.Slice(unit * length, length);
                double limit = Factor * Math.Max(GradientNorm.Of<T>(values.Slice(unit * length, length)), Epsilon);
                double norm = GradientNorm.Of<T>(gradient);
                Shrink(gradient, norm > limit ? limit / norm : 1);
            }
        }
    }

    public override void Validate()
    {
        Require(Factor > 0, "factor", Factor, "greater than 0");
        Require(Epsilon > 0, "epsilon", Epsilon, "greater than 0");
    }
}
