namespace Fathom.Compute;

/// <summary>The transpose of a matrix as a copy, by blocks that are turned in registers.</summary>
public static unsafe class Transposition
{
    /// <summary>destination[j, i] = source[i, j] for a source of [rows, columns].</summary>
    /// <param name="rows">Rows of the source, columns of the destination.</param>
    /// <param name="columns">Columns of the source, rows of the destination.</param>
    /// <param name="source">The matrix.</param>
    /// <param name="sourceStride">Elements from one of its rows to the next.</param>
    /// <param name="destination">Where the transpose goes; must not overlap the source.</param>
    /// <param name="destinationStride">Elements from one row of the transpose to the next.</param>
    /// <exception cref="ArgumentException">A buffer or stride is too small for the shape; the message says which.</exception>
    public static void Run<T>(int rows, int columns, Buffer<T> source, int sourceStride, Buffer<T> destination, int destinationStride)
        where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>
    {
        RequireMatrix(nameof(source), rows, columns, sourceStride, source.Length);
        RequireMatrix(nameof(destination), columns, rows, destinationStride, destination.Length);
        Packing.Transpose(columns, rows, source.Pointer, sourceStride, destination.Pointer, destinationStride);
    }

    private static void RequireMatrix(string name, int rows, int columns, int stride, int length)
    {
        if (rows < 0 || columns < 0)
        {
            throw new ArgumentException($"Matrix {name} would be [{rows}, {columns}]; sizes must not be negative.", name);
        }
        if (rows > 0 && columns > 0 && (stride < columns || (long)(rows - 1) * stride + columns > length))
        {
            throw new ArgumentException($"Matrix {name} of [{rows}, {columns}] with row stride {stride} does not fit into {length} elements.", name);
        }
    }
}
