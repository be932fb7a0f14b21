using System.Numerics;

namespace Fathom.Compute;

/// <summary>Sums over rows, columns and whole buffers, the same for any number of threads.</summary>
public static unsafe class Reductions
{
    /// <summary>y[j] (+)= Σᵢ x[i, j] for a dense row-major x of [rows, columns]: the gradient of a bias.</summary>
    public static void ColumnSums<T>(int rows, int columns, Buffer<T> x, Buffer<T> y, bool accumulate, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> => throw new NotImplementedException();

    /// <summary>y[i] (+)= Σⱼ x[i, j].</summary>
    public static void RowSums<T>(int rows, int columns, Buffer<T> x, Buffer<T> y, bool accumulate, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> => throw new NotImplementedException();

    /// <summary>Mean and biased variance of each column.</summary>
    public static void ColumnMoments<T>(int rows, int columns, Buffer<T> x, Buffer<T> mean, Buffer<T> variance, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> => throw new NotImplementedException();

    /// <summary>Σ x², in double.</summary>
    public static double SumOfSquares<T>(Buffer<T> x, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> => throw new NotImplementedException();

    /// <summary>Σ a·b, in double.</summary>
    public static double Dot<T>(Buffer<T> a, Buffer<T> b, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> => throw new NotImplementedException();

    /// <summary>max |x|; NaN if any element is NaN; 0 if there are none.</summary>
    public static T MaxAbs<T>(Buffer<T> x, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> => throw new NotImplementedException();
}
