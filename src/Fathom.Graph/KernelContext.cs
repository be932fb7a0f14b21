using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs;

/// <summary>A tensor as a kernel sees it: where it lies and how large each axis is.</summary>
public readonly struct TensorBinding<T>(Buffer<T> real, Buffer<int> index, int[] shape) where T : unmanaged
{
    /// <summary>The elements, if they are real numbers.</summary>
    public Buffer<T> Real { get; } = real;

    /// <summary>The elements, if they are indices.</summary>
    public Buffer<int> Index { get; } = index;

    public int[] Shape { get; } = shape;
}

/// <summary>What one call of a kernel works on.</summary>
public readonly ref struct KernelContext<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public required ReadOnlySpan<TensorBinding<T>> Inputs { get; init; }

    public required ReadOnlySpan<TensorBinding<T>> Outputs { get; init; }

    public required WorkerPool Pool { get; init; }

    /// <summary>True in a training step, false in evaluation (dropout off, batch norm by running statistics).</summary>
    public required bool Training { get; init; }

    /// <summary>Key of the random numbers of this node in this step.</summary>
    public required RandomKey Random { get; init; }

    public Buffer<T> Scratch { get; init; }

    /// <summary>
    /// What the same thread is going to read next and has not had in hand lately, such as the next layer's weights: a product may
    /// ask for it from memory on the way. Only for an op that <see cref="Op.FetchesAhead"/>, and often empty.
    /// </summary>
    public ReadOnlySpan<Buffer<T>> Ahead { get; init; }

    public Buffer<T> Input(int index) => Inputs[index].Real;

    public Buffer<T> Output(int index) => Outputs[index].Real;

    public int[] InputShape(int index) => Inputs[index].Shape;

    public int[] OutputShape(int index) => Outputs[index].Shape;

    /// <summary>Rows and columns of a tensor whose leading axes are folded into one: (…, columns).</summary>
    public static (int Rows, int Columns) Fold(int[] shape)
    {
        int rows = 1;
        for (int i = 0; i < shape.Length - 1; i++)
        {
            rows *= shape[i];
        }
        return (rows, shape.Length == 0 ? 1 : shape[^1]);
    }
}
