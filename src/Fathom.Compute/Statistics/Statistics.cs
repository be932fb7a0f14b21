using System.Numerics;

namespace Fathom.Compute;

/// <summary>Statistics of a tensor in one pass over it.</summary>
public static unsafe class Statistics
{
    /// <summary>Measures x. An element is saturated if it is ≤ (inclusive) or &lt; (exclusive) the lower bound, or ≥ or
    /// &gt; the upper one; a bound of NaN is no bound.</summary>
    public static void Measure<T>(Buffer<T> x, T saturatedBelow, T saturatedAbove, bool inclusive, ref TensorStatistics result, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        result = default;
        result.Count = x.Length;
    }

    /// <summary>Measures x without a saturation region.</summary>
    public static void Measure<T>(Buffer<T> x, ref TensorStatistics result, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> => Measure(x, T.NaN, T.NaN, true, ref result, pool);
}
