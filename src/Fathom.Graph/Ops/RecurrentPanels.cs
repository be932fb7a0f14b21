using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// A recurrent weight as the right-hand factor of a product that every step repeats: (depth, columns), stored in panels of
/// 32 columns with their rows dense. Rows that lie a power of two apart would share a few sets of the first-level cache,
/// and a product with few rows is too short to make good for packing them again at every step.
/// </summary>
internal readonly unsafe struct RecurrentPanels<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int Width = 32;

    private readonly Buffer<T> memory;
    private readonly int depth, columns;

    private RecurrentPanels(Buffer<T> memory, int depth, int columns) => (this.memory, this.depth, this.columns) = (memory, depth, columns);

    /// <summary>The panels of a weight (depth, columns).</summary>
    public static RecurrentPanels<T> Of(Buffer<T> weight, Buffer<T> memory, int depth, int columns)
    {
        for (int first = 0; first < columns; first += Width)
        {
            int width = Math.Min(Width, columns - first);
            T* to = memory.Pointer + (long)first * depth;
            for (int p = 0; p < depth; p++)
            {
                new ReadOnlySpan<T>(weight.Pointer + (long)p * columns + first, width).CopyTo(new Span<T>(to + (long)p * width, width));
            }
        }
        return new RecurrentPanels<T>(memory, depth, columns);
    }

    /// <summary>The panels of the transpose of a weight (columns, depth).</summary>
    public static RecurrentPanels<T> OfTransposed(Buffer<T> weight, Buffer<T> memory, int depth, int columns)
    {
        for (int first = 0; first < columns; first += Width)
        {
            int width = Math.Min(Width, columns - first);
            Transposition.Run(width, depth, weight.Slice(first * depth, width * depth), depth, memory.Slice(first * depth, width * depth), width);
        }
        return new RecurrentPanels<T>(memory, depth, columns);
    }

    /// <summary>c (rows, columns) (+)= a (rows, depth) · weight, all dense.</summary>
    public void Multiply(int rows, Buffer<T> a, Buffer<T> c, bool accumulate, WorkerPool pool)
    {
        for (int first = 0; first < columns; first += Width)
        {
            int width = Math.Min(Width, columns - first);
            Gemm.Multiply(false, false, rows, width, depth, a, depth, memory.Slice(first * depth, width * depth), width,
                c.Slice(first, c.Length - first), columns, accumulate, default, pool);
        }
    }
}
