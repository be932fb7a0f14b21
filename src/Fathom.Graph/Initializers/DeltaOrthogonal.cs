using Fathom.Compute;

namespace Fathom.Graphs.Initializers;

/// <summary>
/// A kernel that is a random matrix with orthonormal columns, times a gain, at its centre, and 0 elsewhere: a
/// convolution that at the start keeps the norm of every input (Xiao et al. 2018, algorithm 1 and section 3.2). Away
/// from the borders ‖y‖ = gain·‖x‖. The weight is (out, in, kernel…) with out ≥ in; without a kernel it is an
/// orthogonal matrix. Of a kernel of even size the centre is the element after the middle.
/// </summary>
/// <param name="Gain">Factor on the matrix; √σw² of mean-field theory where out = in.</param>
public sealed record DeltaOrthogonal(double Gain = 1) : Initializer
{
    public override string Kind => "delta_orthogonal";

    /// <summary>Mean square of one element: gain² / (out · kernel), since out ≥ in.</summary>
    public override double Variance(Fans fans) => Gain * Gain / Math.Max(1, Math.Max(fans.In, fans.Out));

    public override string? Requirement(Shape shape) => shape.Rank < 2 ? "a weight (out, in, kernel…)"
        : shape[0].Size < shape[1].Size ? "a weight (out, in, kernel…) with as many outputs as inputs or more" : null;

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target)
    {
        (int outputs, int inputs) = (shape[0].Size, shape[1].Size);
        double[][] columns = Orthogonal.Orthonormal(inputs, outputs, key);
        KernelCentre centre = KernelCentre.Of(shape);
        target.Span.Clear();
        for (int i = 0; i < outputs; i++)
        {
            for (int j = 0; j < inputs; j++)
            {
                target.Span[(i * inputs + j) * centre.Elements + centre.Index] = T.CreateTruncating(Gain * columns[j][i]);
            }
        }
    }
}

/// <summary>Where the middle of a kernel lies among its elements.</summary>
/// <param name="Elements">Elements of the kernel; 1 for a matrix.</param>
/// <param name="Index">The middle one, row-major.</param>
internal readonly record struct KernelCentre(int Elements, int Index)
{
    public static KernelCentre Of(Shape weight)
    {
        (int elements, int index) = (1, 0);
        for (int axis = 2; axis < weight.Rank; axis++)
        {
            elements *= weight[axis].Size;
            index = index * weight[axis].Size + weight[axis].Size / 2;
        }
        return new KernelCentre(elements, index);
    }
}
