using System.Numerics;
using Fathom.Training.Execution;

namespace Fathom.Training.Clipping;

/// <summary>Bounds gradients between backward pass and optimizer. A value; one file per rule.</summary>
public abstract record GradientClipping
{
    /// <summary>The name in model files, such as <c>global_norm</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>Clips the gradients of all trainable parameters in place.</summary>
    /// <param name="store">Parameters and gradients.</param>
    /// <param name="globalNorm">L2 norm over all gradients, as it is before clipping.</param>
    public abstract void Apply<T>(ParameterStore<T> store, double globalNorm) where T : unmanaged, IBinaryFloatingPointIeee754<T>;

    /// <summary>Throws <see cref="TrainingException"/> if a setting is out of its range.</summary>
    public abstract void Validate();
}
