using System.Numerics;
using System.Numerics.Tensors;
using Fathom.Training.Execution;

namespace Fathom.Training.Clipping;

/// <summary>Bounds gradients between backward pass and optimizer. A value; one file per rule.</summary>
public abstract record GradientClipping
{
    /// <summary>The name in model files, such as <c>global_norm</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>
    /// How many numbers the rule remembers from step to step, such as norms of the past; 0 for most. They start at 0, and
    /// a checkpoint keeps them.
    /// </summary>
    /// <param name="slices">The parameters of the store that it will clip.</param>
    public virtual int StateLength(IReadOnlyList<ParameterSlice> slices) => 0;

    /// <summary>Clips the gradients of all trainable parameters in place.</summary>
    /// <param name="store">Parameters and gradients.</param>
    /// <param name="globalNorm">L2 norm over all gradients, as it is before clipping.</param>
    /// <param name="state">As many numbers as <see cref="StateLength"/> says, as the last step left them.</param>
    public abstract void Apply<T>(ParameterStore<T> store, double globalNorm, Span<double> state) where T : unmanaged, IBinaryFloatingPointIeee754<T>;

    /// <summary>Throws <see cref="TrainingException"/> if a setting is out of its range.</summary>
    public abstract void Validate();

    protected void Require(bool holds, string setting, double value, string allowed)
    {
        if (!holds)
        {
            throw new TrainingException($"clip {Kind}: {setting} is {FormattableString.Invariant($"{value}")}; it must be {allowed}");
        }
    }

    /// <summary>
    /// Multiplies by a factor; exactly nothing happens at 1 and above. A norm of NaN gives the factor NaN, which makes
    /// every element NaN. A norm of ∞ gives 0, which makes infinite elements NaN, but finite ones (whose powers overflow
    /// in a norm of high p) 0: such a step then changes nothing.
    /// </summary>
    protected static void Shrink<T>(Span<T> gradient, double factor) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (!(factor >= 1))
        {
            TensorPrimitives.Multiply(gradient, T.CreateTruncating(factor), gradient);
        }
    }
}
