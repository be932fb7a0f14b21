using Fathom.Compute;

namespace Fathom.Graphs.Initializers;

/// <summary>
/// The identity times a gain: w[i, i] = gain, 0 elsewhere; for a kernel (out, in, kernel…) at its centre. For recurrent
/// weights it is the IRNN, which at the start keeps its state as it is (Le, Jaitly and Hinton 2015, section 2); the same
/// paper takes a gain below 1, such as 0.01, where long memory does harm. A matrix that is not square keeps the first
/// min(out, in) inputs.
/// </summary>
/// <param name="Gain">The number on the diagonal.</param>
public sealed record IdentityInitializer(double Gain = 1) : Initializer
{
    public override string Kind => "identity";

    /// <summary>Mean square of one element: gain² / (max(out, in) · kernel).</summary>
    public override double Variance(Fans fans) => Gain * Gain / Math.Max(1, Math.Max(fans.In, fans.Out));

    public override string? Requirement(Shape shape) => shape.Rank < 2 ? "a weight (out, in, kernel…)" : null;

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target)
    {
        (int outputs, int inputs) = (shape[0].Size, shape[1].Size);
        KernelCentre centre = KernelCentre.Of(shape);
        target.Span.Clear();
        for (int i = 0; i < Math.Min(outputs, inputs); i++)
        {
            target.Span[(i * inputs + i) * centre.Elements + centre.Index] = T.CreateTruncating(Gain);
        }
    }
}
