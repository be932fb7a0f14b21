using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>Arithmetic on one capsule's vector of <c>size</c> elements.</summary>
internal static unsafe class CapsuleVector
{
    /// <summary>The shape rule of an op on vectors along the last axis.</summary>
    public static void Require(ShapeScope scope, int inputs)
    {
        scope.RequireCount(inputs);
        scope.RequireKind(0, ElementKind.Real);
        scope.RequireRank(0, 2);
        if (scope.Shape(0)[^1].PerSample || scope.Shape(0)[^1].Size < 1)
        {
            throw scope.Error("vectors of a fixed size on the last axis", $"shape {scope.Shape(0)}");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Dot<V, T>(T* a, T* b, int size) where V : struct, ISimd<V, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        V sum = V.Zero;
        for (int i = 0; i < size; i += V.Count)
        {
            sum = V.Fma(VectorKernel.Read<V, T>(a + i, size - i), VectorKernel.Read<V, T>(b + i, size - i), sum);
        }
        return V.Sum(sum);
    }

    /// <summary>y = scale·x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply<V, T>(T scale, T* x, T* y, int size) where V : struct, ISimd<V, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        V factor = V.Broadcast(scale);
        for (int i = 0; i < size; i += V.Count)
        {
            VectorKernel.Write(factor * VectorKernel.Read<V, T>(x + i, size - i), y + i, size - i);
        }
    }

    /// <summary>y += scale·x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add<V, T>(T scale, T* x, T* y, int size) where V : struct, ISimd<V, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        V factor = V.Broadcast(scale);
        for (int i = 0; i < size; i += V.Count)
        {
            V sum = V.Fma(factor, VectorKernel.Read<V, T>(x + i, size - i), VectorKernel.Read<V, T>(y + i, size - i));
            VectorKernel.Write(sum, y + i, size - i);
        }
    }

    public static T Length<V, T>(T* x, int size) where V : struct, ISimd<V, T> where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        T.Sqrt(Dot<V, T>(x, x, size));

    public static void Squash<V, T>(T* x, T* y, int size) where V : struct, ISimd<V, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T length = Length<V, T>(x, size);
        Multiply<V, T>(length / (T.One + length * length), x, y, size);
    }

    public static void SquashGradient<V, T>(T* upstream, T* x, T* dx, int size) where V : struct, ISimd<V, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T length = Length<V, T>(x, size);
        T sum = T.One + length * length;
        // The product with the direction stays finite where 1/|x| would not.
        T along = length > T.Zero ? Dot<V, T>(upstream, x, size) / length : T.Zero;
        Multiply<V, T>(length / sum, upstream, dx, size);
        Add<V, T>(along * (T.One - length) * (T.One + length) / (sum * sum), x, dx, size);
    }
}

internal enum CapsuleFunction
{
    Squash,
    SquashGradient,
    Length,
    LengthGradient,
}

/// <summary>A function of every vector of a tensor.</summary>
internal unsafe struct CapsuleVectors<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Elements per part; fixed, so that results do not depend on the number of threads.</summary>
    private const int PartElements = 8192;

    private CapsuleFunction function;
    private T* x, upstream, result;
    private int size, vectors, vectorsPerPart, first;

    public static void Run(CapsuleFunction function, Buffer<T> x, Buffer<T> upstream, Buffer<T> result, int size, WorkerPool pool)
    {
        CapsuleVectors<T> job = new()
        {
            function = function, x = x.Pointer, upstream = upstream.Pointer, result = result.Pointer,
            size = size, vectors = x.Length / size, vectorsPerPart = Math.Max(1, PartElements / size),
        };
        pool.Run(ref job, (job.vectors + job.vectorsPerPart - 1) / job.vectorsPerPart);
    }

    public readonly void Execute(int part, int worker)
    {
        CapsuleVectors<T> mine = this;
        mine.first = part * vectorsPerPart;
        VectorKernel.Run<T, CapsuleVectors<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int last = Math.Min(vectors, first + vectorsPerPart);
        for (int vector = first; vector < last; vector++)
        {
            long at = (long)vector * size;
            switch (function)
            {
                case CapsuleFunction.Squash:
                    CapsuleVector.Squash<V, T>(x + at, result + at, size);
                    break;
                case CapsuleFunction.SquashGradient:
                    CapsuleVector.SquashGradient<V, T>(upstream + at, x + at, result + at, size);
                    break;
                case CapsuleFunction.Length:
                    result[vector] = CapsuleVector.Length<V, T>(x + at, size);
                    break;
                default:
                    T length = CapsuleVector.Length<V, T>(x + at, size);
                    CapsuleVector.Multiply<V, T>(length > T.Zero ? upstream[vector] / length : T.Zero, x + at, result + at, size);
                    break;
            }
        }
    }
}
