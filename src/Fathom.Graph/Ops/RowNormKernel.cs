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

    // On its own: inlined into its callers it would be more than the JIT inlines, and each operation a call.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void Row<V>(int row) where V : struct, ISimd<V, T>
    {
        T* from = x + (long)row * rows.Length;
        T* to = y + (long)row * rows.Length;
        (double center, double variance) = mean == null ? (0, Deviations<V>(from, T.Zero).Squares / rows.Length) : Moments<V>(from);
        V about = V.Constant(center);
        V scale = V.Constant(1 / Math.Sqrt(variance + eps));
        inverse[row] = T.CreateTruncating(1 / Math.Sqrt(variance + eps));
        if (mean != null)
        {
            mean[row] = T.CreateTruncating(center);
        }
        int channel = row % rows.Groups * rows.Channels;
        for (int segment = 0; segment < rows.Segments; segment++)
        {
            int start = segment * rows.SegmentLength;
            for (int i = 0; i < rows.SegmentLength; i += V.Count)
            {
                int count = rows.SegmentLength - i;
                V gain = weight == null ? scale : scale * RowParameter.Read<V, T>(weight + channel, rows, segment, i);
                V offset = bias == null ? V.Zero : RowParameter.Read<V, T>(bias + channel, rows, segment, i);
                VectorKernel.Write(V.Fma(VectorKernel.Read<V, T>(from + start + i, count) - about, gain, offset), to + start + i, count);
            }
        }
    }

    /// <summary>A first mean, then the moments about it, which correct it.</summary>
    private readonly (double Mean, double Variance) Moments<V>(T* row) where V : struct, ISimd<V, T>
    {
        V sum = V.Zero;
        for (int i = 0; i < rows.Length; i += V.Count)
        {
            sum += VectorKernel.Read<V, T>(row + i, rows.Length - i);
        }
        T start = T.CreateTruncating(double.CreateTruncating(V.Sum(sum)) / rows.Length);
        (double shift, double squares) = Deviations<V>(row, start);
        shift /= rows.Length;
        return (double.CreateTruncating(start) + shift, Math.Max(squares / rows.Length - shift * shift, 0));
    }

    private readonly (double Sum, double Squares) Deviations<V>(T* row, T start) where V : struct, ISimd<V, T>
    {
        V about = V.Broadcast(start);
        V sum = V.Zero;
        V squares = V.Zero;
        int i = 0;
        for (; i <= rows.Length - V.Count; i += V.Count)
        {
            V deviation = V.Load(row + i) - about;
            sum += deviation;
            squares = V.Fma(deviation, deviation, squares);
        }
        (T rest, T restSquares) = (T.Zero, T.Zero);
        for (; i < rows.Length; i++)
        {
            T deviation = row[i] - start; // not a partial vector: its empty lanes would count as −start
            rest += deviation;
            restSquares += deviation * deviation;
        }
        return (double.CreateTruncating(V.Sum(sum) + rest), double.CreateTruncating(V.Sum(squares) + restSquares));
    }
}

/// <summary>The parameters that belong to a vector of a row's elements.</summary>
internal static unsafe class RowParameter
{
    /// <param name="parameter">The first parameter of the row's group.</param>
    /// <param name="rows">The layout.</param>
    /// <param name="segment">The stretch of the row.</param>
    /// <param name="i">The vector's first element in it.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Read<V, T>(T* parameter, NormRows rows, int segment, int i) where V : struct, ISimd<V, T> where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        rows.Inner == 1 ? VectorKernel.Read<V, T>(parameter + i, rows.SegmentLength - i) : V.Broadcast(parameter[segment]);
}

/// <summary>
/// The gradient by x. With x̂ normalized, s = 1/√(variance + eps), g = weight·dy and ⟨⟩ the mean over a row,
/// dx = s·(g − ⟨g⟩ − x̂·⟨g·x̂⟩); ⟨g⟩ is there only if the row's mean was taken off.
/// </summary>
internal unsafe struct RowNormBackward<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* upstream, x, mean, inverse, weight, dx;
    private NormRows rows;
    private int first;

    /// <summary>Inputs: dy, x, the mean if centered, s, and the weight if there is one. Outputs: dx, then the gradients of the parameters.</summary>
    public static void Run(in KernelContext<T> context, NormRows rows, bool centered, int parameters)
    {
        int at = centered ? 3 : 2;
        RowNormBackward<T> job = new()
        {
            upstream = context.Input(0).Pointer,
            x = context.Input(1).Pointer,
            mean = centered ? context.Input(2).Pointer : null,
            inverse = context.Input(at).Pointer,
            weight = parameters > 0 ? context.Input(at + 1).Pointer : null,
            dx = context.Output(0).Pointer,
            rows = rows,
        };
        context.Pool.Run(ref job, rows.Parts);
        if (parameters > 0)
        {
            RowNormParameters<T>.Run(context, rows, centered, parameters);
        }
    }

    public readonly void Execute(int part, int worker)
    {
        RowNormBackward<T> mine = this;
        mine.first = part * rows.RowsPerPart;
        VectorKernel.Run<T, RowNormBackward<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int last = Math.Min(rows.Rows, first + rows.RowsPerPart);
        for (int row = first; row < last; row++)
        {
            Row<V>(row);
        }
    }

    private readonly void Row<V>(int row) where V : struct, ISimd<V, T>
    {
        V center = mean == null ? V.Zero : V.Broadcast(mean[row]);
        V scale = V.Broadcast(inverse[row]);
        double sum = 0;
        double product = 0;
        for (int segment = 0; segment < rows.Segments; segment++)
        {
            long start = (long)row * rows.Length + segment * rows.SegmentLength;
            V partSum = V.Zero;
            V partProduct = V.Zero;
            for (int i = 0; i < rows.SegmentLength; i += V.Count)
            {
                V g = Gradient<V>(row, segment, i, start);
                partSum += g;
                partProduct = V.Fma(g, (VectorKernel.Read<V, T>(x + start + i, rows.SegmentLength - i) - center) * scale, partProduct);
            }
            sum += double.CreateTruncating(V.Sum(partSum));
            product += double.CreateTruncating(V.Sum(partProduct));
        }
        V meanGradient = mean == null ? V.Zero : V.Constant(sum / rows.Length);
        V meanProduct = V.Constant(product / rows.Length);
        for (int segment = 0; segment < rows.Segments; segment++)
        {
            long start = (long)row * rows.Length + segment * rows.SegmentLength;
            for (int i = 0; i < rows.SegmentLength; i += V.Count)
            {
                int count = rows.SegmentLength - i;
                V normalized = (VectorKernel.Read<V, T>(x + start + i, count) - center) * scale;
                VectorKernel.Write((Gradient<V>(row, segment, i, start) - meanGradient - normalized * meanProduct) * scale, dx + start + i, count);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly V Gradient<V>(int row, int segment, int i, long start) where V : struct, ISimd<V, T>
    {
        V dy = VectorKernel.Read<V, T>(upstream + start + i, rows.SegmentLength - i);
        return weight == null ? dy : dy * RowParameter.Read<V, T>(weight + row % rows.Groups * rows.Channels, rows, segment, i);
    }
}

/// <summary>The gradients of weight, Σ dy·x̂, and bias, Σ dy: sums over the rows of a group, cut into parts by channels.</summary>
internal unsafe struct RowNormParameters<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int ChannelsPerPart = 64;

    private T* upstream, x, mean, inverse, weightGradient, biasGradient;
    private NormRows rows;
    private int part;

    public static void Run(in KernelContext<T> context, NormRows rows, bool centered, int parameters)
    {
        RowNormParameters<T> job = new()
        {
            upstream = context.Input(0).Pointer,
            x = context.Input(1).Pointer,
            mean = centered ? context.Input(2).Pointer : null,
            inverse = context.Input(centered ? 3 : 2).Pointer,
            weightGradient = context.Output(1).Pointer,
            biasGradient = parameters > 1 ? context.Output(2).Pointer : null,
            rows = rows,
        };
        context.Pool.Run(ref job, rows.Groups * PartsPerGroup(rows));
    }

    public readonly void Execute(int part, int worker)
    {
        RowNormParameters<T> mine = this;
        mine.part = part;
        VectorKernel.Run<T, RowNormParameters<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int group = part / PartsPerGroup(rows);
        int first = part % PartsPerGroup(rows) * ChannelsPerPart;
        int last = Math.Min(rows.Channels, first + ChannelsPerPart);
        for (int channel = first; channel < last; channel += rows.Inner == 1 ? V.Count : 1)
        {
            if (rows.Inner == 1)
            {
                Columns<V>(group, channel, last - channel);
            }
            else
            {
                Plane<V>(group, channel);
            }
        }
    }

    private static int PartsPerGroup(NormRows rows) => (rows.Channels + ChannelsPerPart - 1) / ChannelsPerPart;

    private readonly void Columns<V>(int group, int channel, int count) where V : struct, ISimd<V, T>
    {
        V sum = V.Zero;
        V product = V.Zero;
        for (int row = group; row < rows.Rows; row += rows.Groups)
        {
            long at = (long)row * rows.Length + channel;
            V dy = VectorKernel.Read<V, T>(upstream + at, count);
            V center = mean == null ? V.Zero : V.Broadcast(mean[row]);
            sum += dy;
            product = V.Fma(dy, (VectorKernel.Read<V, T>(x + at, count) - center) * V.Broadcast(inverse[row]), product);
        }
        int to = group * rows.Channels + channel;
        VectorKernel.Write(product, weightGradient + to, count);
        if (biasGradient != null)
        {
            VectorKernel.Write(sum, biasGradient + to, count);
        }
    }

    private readonly void Plane<V>(int group, int channel) where V : struct, ISimd<V, T>
    {
        double sum = 0;
        double product = 0;
        for (int row = group; row < rows.Rows; row += rows.Groups)
        {
            long start = (long)row * rows.Length + (long)channel * rows.Inner;
            V center = mean == null ? V.Zero : V.Broadcast(mean[row]);
            V scale = V.Broadcast(inverse[row]);
            V rowSum = V.Zero;
            V rowProduct = V.Zero;
            for (int i = 0; i < rows.Inner; i += V.Count)
            {
                V dy = VectorKernel.Read<V, T>(upstream + start + i, rows.Inner - i);
                rowSum += dy;
                rowProduct = V.Fma(dy, (VectorKernel.Read<V, T>(x + start + i, rows.Inner - i) - center) * scale, rowProduct);
            }
            sum += double.CreateTruncating(V.Sum(rowSum));
            product += double.CreateTruncating(V.Sum(rowProduct));
        }
        int to = group * rows.Channels + channel;
        weightGradient[to] = T.CreateTruncating(product);
        if (biasGradient != null)
        {
            biasGradient[to] = T.CreateTruncating(sum);
        }
    }
}
