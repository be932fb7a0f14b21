using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>One slice after another of a tensor: slice o begins at <c>Pointer + o·Stride</c>.</summary>
internal readonly unsafe struct Slices<T>(Buffer<T> tensor, int offset, int stride) where T : unmanaged
{
    public readonly T* Pointer = tensor.Pointer + offset;
    public readonly int Stride = stride;

    public T* this[int slice] => Pointer + (long)slice * Stride;
}

/// <summary>y = op(a, b, c) element by element over slices that need not lie behind each other: halves of an axis.</summary>
internal unsafe struct SlicedMap<T, TOp> : IParallelJob, IVectorKernel<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T> where TOp : struct, ITernaryOperator<T>
{
    /// <summary>Elements per part; fixed, so that results do not depend on the number of threads.</summary>
    private const int PartElements = 8192;

    private TOp op;
    private Slices<T> a, b, c, y;
    private int slices, width, slicesPerPart, first;

    public static void Run(TOp op, Slices<T> a, Slices<T> b, Slices<T> c, Slices<T> y, int slices, int width, WorkerPool pool)
    {
        SlicedMap<T, TOp> job = new() { op = op, a = a, b = b, c = c, y = y, slices = slices, width = width, slicesPerPart = Math.Max(1, PartElements / Math.Max(1, width)) };
        pool.Run(ref job, (slices + job.slicesPerPart - 1) / job.slicesPerPart);
    }

    public readonly void Execute(int part, int worker)
    {
        SlicedMap<T, TOp> mine = this;
        mine.first = part * slicesPerPart;
        VectorKernel.Run<T, SlicedMap<T, TOp>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int last = Math.Min(slices, first + slicesPerPart);
        for (int slice = first; slice < last; slice++)
        {
            for (int i = 0; i < width; i += V.Count)
            {
                int count = width - i;
                V left = VectorKernel.Read<V, T>(a[slice] + i, count);
                V middle = VectorKernel.Read<V, T>(b[slice] + i, count);
                V right = VectorKernel.Read<V, T>(c[slice] + i, count);
                VectorKernel.Write(op.Invoke(left, middle, right), y[slice] + i, count);
            }
        }
    }
}
