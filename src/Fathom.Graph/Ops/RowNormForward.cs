using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Normalization of every row: with its mean (layer, group norm) or about 0 (RMS norm). Two passes for the variance, so
/// that a mean of 1000 costs no digits.
/// </summary>
internal unsafe struct RowNormForward<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* x, weight, bias, y, mean, inverse;
    private NormRows rows;
    private double eps;
    private int first;

    /// <summary>Inputs: x, then weight and bias as <paramref name="parameters"/> says. Outputs: y, the mean if centered, 1/√(variance + eps).</summary>
    public static void Run(in KernelContext<T> context, NormRows rows, double eps, bool centered, int parameters)
    {
        RowNormForward<T> job = new()
        {
            x = context.Input(0).Pointer,
            weight = parameters > 0 ? context.Input(1).Pointer : null,
            bias = parameters > 1 ? context.Input(2).Pointer : null,
            y = context.Output(0).Pointer,
            mean = centered ? context.Output(1).Pointer : null,
            inverse = context.Output(centered ? 2 : 1).Pointer,
            rows = rows,
            eps = eps,
        };
        context.Pool.Run(ref job, rows.Parts);
    }

    public readonly void Execute(int part, int worker)
    {
        RowNormForward<T> mine = this;
        mine.first = part * rows.RowsPerPart;
        VectorKernel.Run<T, RowNormForward<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int last = Math.Min(rows.Rows, first + rows.RowsPerPart);
        for (int row = first; row < last; row++)
        {
            Row<V>(row);
        }
    }

    // Loops of their own, each compiled on its own: inlined into its callers it would be more than the JIT inlines, and
    // each operation a call.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Row<V>(int row) where V : struct, ISimd<V, T>
    {
        T* from = x + (nint)row * rows.Length;
        T* to = y + (nint)row * rows.Length;
        (double center, double variance) = mean == null ? (0, Deviations<V>(from, rows.Length, T.Zero).Squares / rows.Length) : Moments<V>(from, rows.Length);
        double scale = 1 / Math.Sqrt(variance + eps);
        inverse[row] = T.CreateTruncating(scale);
        if (mean != null)
        {
            mean[row] = T.CreateTruncating(center);
        }
        int channel = row % rows.Groups * rows.Channels;
        T* gains = weight == null ? null : weight + channel;
        T* offsets = bias == null ? null : bias + channel;
        if (rows.Inner == 1)
        {
            Elements(from, to, rows.Length, V.Constant(center), V.Constant(scale), gains, offsets);
            return;
        }
        for (int segment = 0; segment < rows.Channels; segment++)
        {
            V gain = gains == null ? V.Constant(scale) : V.Constant(scale) * V.Broadcast(gains[segment]);
            V offset = offsets == null ? V.Zero : V.Broadcast(offsets[segment]);
            Plane(from + segment * rows.Inner, to + segment * rows.Inner, rows.Inner, V.Constant(center), gain, offset);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Elements<V>(T* from, T* to, int length, V about, V scale, T* gains, T* offsets) where V : struct, ISimd<V, T>
    {
        int i = 0;
        for (; i <= length - V.Count; i += V.Count)
        {
            V gain = gains == null ? scale : scale * V.Load(gains + i);
            V.Fma(V.Load(from + i) - about, gain, offsets == null ? V.Zero : V.Load(offsets + i)).Store(to + i);
        }
        if (i < length)
        {
            int rest = length - i;
            V gain = gains == null ? scale : scale * V.LoadPartial(gains + i, rest);
            V.Fma(V.LoadPartial(from + i, rest) - about, gain, offsets == null ? V.Zero : V.LoadPartial(offsets + i, rest)).StorePartial(to + i, rest);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Plane<V>(T* from, T* to, int length, V about, V gain, V offset) where V : struct, ISimd<V, T>
    {
        for (int i = 0; i < length; i += V.Count)
        {
            VectorKernel.Write(V.Fma(VectorKernel.Read<V, T>(from + i, length - i) - about, gain, offset), to + i, length - i);
        }
    }

    /// <summary>A first mean, then the moments about it, which correct it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (double Mean, double Variance) Moments<V>(T* row, int length) where V : struct, ISimd<V, T>
    {
        V sum = V.Zero;
        for (int i = 0; i < length; i += V.Count)
        {
            sum += VectorKernel.Read<V, T>(row + i, length - i);
        }
        T start = T.CreateTruncating(double.CreateTruncating(V.Sum(sum)) / length);
        (double shift, double squares) = Deviations<V>(row, length, start);
        shift /= length;
        return (double.CreateTruncating(start) + shift, Math.Max(squares / length - shift * shift, 0));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (double Sum, double Squares) Deviations<V>(T* row, int length, T start) where V : struct, ISimd<V, T>
    {
        V about = V.Broadcast(start);
        V sum = V.Zero;
        V squares = V.Zero;
        int i = 0;
        for (; i <= length - V.Count; i += V.Count)
        {
            V deviation = V.Load(row + i) - about;
            sum += deviation;
            squares = V.Fma(deviation, deviation, squares);
        }
        (T rest, T restSquares) = (T.Zero, T.Zero);
        for (; i < length; i++)
        {
            T deviation = row[i] - start; // not a partial vector: its empty lanes would count as −start
            rest += deviation;
            restSquares += deviation * deviation;
        }
        return (double.CreateTruncating(V.Sum(sum) + rest), double.CreateTruncating(V.Sum(squares) + restSquares));
    }
}
