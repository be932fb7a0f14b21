using System.Numerics;
using Fathom.Compute;

namespace Fathom.Training.Regularization;

/// <summary>One parameter and what a regularizer may need beside it.</summary>
public readonly ref struct RegularizerScope<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>The parameter, row by row.</summary>
    public required Buffer<T> Values { get; init; }

    /// <summary>Its gradient.</summary>
    public required Buffer<T> Gradient { get; init; }

    /// <summary>Output units: indices of axis 0, or 1 for a vector.</summary>
    public required int Rows { get; init; }

    /// <summary>Weights of a unit.</summary>
    public int Columns => Values.Length / Rows;

    /// <summary>As many elements as the regularizer asked for.</summary>
    public required Buffer<T> Scratch { get; init; }

    /// <summary>The parameter's own stream of random numbers in this step.</summary>
    public required RandomKey Random { get; init; }

    /// <summary>Steps before this one.</summary>
    public required long Step { get; init; }

    public required WorkerPool Pool { get; init; }
}
