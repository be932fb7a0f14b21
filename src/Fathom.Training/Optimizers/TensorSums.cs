namespace Fathom.Training.Optimizers;

/// <summary>
/// Up to two sums over one whole parameter, such as the squared norms of weights and gradient. Each piece gives its
/// own, in double; they are added in the order of the pieces, whatever the number of threads.
/// </summary>
/// <param name="First">What the optimizer makes of it.</param>
/// <param name="Second">The same.</param>
public readonly record struct TensorSums(double First, double Second)
{
    public static TensorSums operator +(TensorSums a, TensorSums b) => new(a.First + b.First, a.Second + b.Second);
}
