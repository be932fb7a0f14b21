using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Initializers;

/// <summary>
/// How a parameter is filled before step 1. A value, so that theory can read the variance of weights that were never
/// allocated.
/// </summary>
public abstract record Initializer
{
    /// <summary>The name in model files, such as <c>xavier_normal</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>Mean of one element.</summary>
    public virtual double Mean => 0;

    /// <summary>Variance of one element.</summary>
    public abstract double Variance(Fans fans);

    /// <summary>What it needs of a parameter and this shape does not give, such as «a weight (out, in, kernel…)»; null if it suits.</summary>
    public virtual string? Requirement(Shape shape) => null;

    /// <summary>Fills a tensor; the same key gives the same numbers on every machine and for any thread count.</summary>
    /// <param name="shape">Shape of the tensor, out first.</param>
    /// <param name="key">Key of the random numbers.</param>
    /// <param name="target">Its elements, row-major.</param>
    public abstract void Fill<T>(Shape shape, RandomKey key, Buffer<T> target) where T : unmanaged, IBinaryFloatingPointIeee754<T>;

    public sealed override string ToString() => Kind;
}

/// <summary>Numbers of inputs and outputs that one weight matrix or kernel connects.</summary>
/// <param name="In">Inputs of one output.</param>
/// <param name="Out">Outputs of one input.</param>
/// <param name="Kernel">Elements of a kernel; 1 for a matrix.</param>
public readonly record struct Fans(double In, double Out, double Kernel = 1)
{
    public double Average => (In + Out) / 2;

    /// <summary>
    /// A weight is (out, in, kernel…): fan-in = in · kernel elements, fan-out = out · kernel elements. A vector has
    /// both equal to its length.
    /// </summary>
    public static Fans Of(Shape shape)
    {
        if (shape.Rank < 2)
        {
            double length = shape.Rank == 0 ? 1 : shape[0].Size;
            return new Fans(length, length);
        }
        double kernel = 1;
        for (int axis = 2; axis < shape.Rank; axis++)
        {
            kernel *= shape[axis].Size;
        }
        return new Fans(shape[1].Size * kernel, shape[0].Size * kernel, kernel);
    }
}
