using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// One axis of the transforms of F(4×4, 3×3): a convolution of a tile of 4×4 outputs with a 3×3 kernel in 36 products
/// instead of 144. y = Aᵀ[(G·w·Gᵀ) ⊙ (Bᵀ·x·B)]A, and so, by the chain rule, dw = Gᵀ[(A·dy·Aᵀ) ⊙ (Bᵀ·x·B)]G. Winograd
/// (1980); Lavin and Gray (2016), Fast algorithms for convolutional neural networks, section 4.
/// Both sides are polynomials, multiplied at the points 0, ±3/4, ±3/2 and ∞. Their rounding error is about twice the direct
/// sum's; at the paper's 0, ±1, ±2 and ∞ it is 5 times. All constants but those of G are exact.
/// Each function transforms <c>groups</c> of <c>count</c> lines of vectors. A line's elements lie a step apart, lines a
/// stride, and groups a span.
/// </summary>
internal static unsafe class WinogradTransform
{
    /// <summary>Outputs of a tile along an axis.</summary>
    public const int Tile = 4;

    /// <summary>Elements of a tile's input along an axis, and of everything that is transformed.</summary>
    public const int Reach = 6;

    /// <summary>Products of a tile.</summary>
    public const int Positions = Reach * Reach;

    private const double P = 0.75, Q = 1.5;
    private const double P2 = P * P, Q2 = Q * Q;

    /// <summary>The derivative of x(x² − p²)(x² − q²) at 0, ±p and ±q, inverted.</summary>
    private const double G0 = 1 / (P2 * Q2), GP = 1 / (2 * P2 * (P2 - Q2)), GQ = 1 / (2 * Q2 * (Q2 - P2));

    /// <summary>Bᵀ: 6 inputs to 6.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Input<T, V>(int groups, int count, in WinogradLines<T> source, in WinogradLines<T> target)
        where T : unmanaged, IFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        V p = V.Constant(P), q = V.Constant(Q), minusP = V.Constant(-P), minusQ = V.Constant(-Q);
        V minusP2 = V.Constant(-P2), minusQ2 = V.Constant(-Q2), both = V.Constant(P2 * Q2), minusSum = V.Constant(-P2 - Q2);
        nint stride = source.Stride, step = source.Step, toStride = target.Stride, toStep = target.Step;
        for (int group = 0; group < groups; group++)
        {
            T* from = source.First + group * source.Span;
            T* to = target.First + group * target.Span;
            for (int n = 0; n < count; n++, from += stride, to += toStride)
            {
                T* from3 = from + 3 * step;
                T* to3 = to + 3 * toStep;
                V x0 = V.Load(from), x1 = V.Load(from + step), x2 = V.Load(from + 2 * step);
                V x3 = V.Load(from3), x4 = V.Load(from3 + step), x5 = V.Load(from3 + 2 * step);
                V evenP = V.Fma(minusQ2, x2, x4), oddP = V.Fma(minusQ2, x1, x3);
                V evenQ = V.Fma(minusP2, x2, x4), oddQ = V.Fma(minusP2, x1, x3);
                V.Fma(both, x0, V.Fma(minusSum, x2, x4)).Store(to);
                V.Fma(p, oddP, evenP).Store(to + toStep);
                V.Fma(minusP, oddP, evenP).Store(to + 2 * toStep);
                V.Fma(q, oddQ, evenQ).Store(to3);
                V.Fma(minusQ, oddQ, evenQ).Store(to3 + toStep);
                V.Fma(both, x1, V.Fma(minusSum, x3, x5)).Store(to3 + 2 * toStep);
            }
        }
    }

    /// <summary>Aᵀ: 6 products to 4 outputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Output<T, V>(int groups, int count, in WinogradLines<T> source, in WinogradLines<T> target)
        where T : unmanaged, IFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        V p = V.Constant(P), q = V.Constant(Q), p2 = V.Constant(P2), q2 = V.Constant(Q2), p3 = V.Constant(P2 * P), q3 = V.Constant(Q2 * Q);
        nint stride = source.Stride, step = source.Step, toStride = target.Stride, toStep = target.Step;
        for (int group = 0; group < groups; group++)
        {
            T* from = source.First + group * source.Span;
            T* to = target.First + group * target.Span;
            for (int n = 0; n < count; n++, from += stride, to += toStride)
            {
                T* from3 = from + 3 * step;
                V m1 = V.Load(from + step), m2 = V.Load(from + 2 * step), m3 = V.Load(from3), m4 = V.Load(from3 + step);
                V sumP = m1 + m2, differenceP = m1 - m2, sumQ = m3 + m4, differenceQ = m3 - m4;
                (V.Load(from) + sumP + sumQ).Store(to);
                V.Fma(p, differenceP, q * differenceQ).Store(to + toStep);
                V.Fma(p2, sumP, q2 * sumQ).Store(to + 2 * toStep);
                V.Fma(p3, differenceP, V.Fma(q3, differenceQ, V.Load(from3 + 2 * step))).Store(to + 3 * toStep);
            }
        }
    }

    /// <summary>The same, with the bias added; the result is NaN in a lane in which something is not finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static V LastOutput<T, V>(int groups, int count, V bias, in WinogradLines<T> source, in WinogradLines<T> target)
        where T : unmanaged, IFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        V p = V.Constant(P), q = V.Constant(Q), p2 = V.Constant(P2), q2 = V.Constant(Q2), p3 = V.Constant(P2 * P), q3 = V.Constant(Q2 * Q);
        V check = V.Zero, zero = V.Zero;
        nint stride = source.Stride, step = source.Step, toStride = target.Stride, toStep = target.Step;
        for (int group = 0; group < groups; group++)
        {
            T* from = source.First + group * source.Span;
            T* to = target.First + group * target.Span;
            for (int n = 0; n < count; n++, from += stride, to += toStride)
            {
                T* from3 = from + 3 * step;
                V m1 = V.Load(from + step), m2 = V.Load(from + 2 * step), m3 = V.Load(from3), m4 = V.Load(from3 + step);
                V sumP = m1 + m2, differenceP = m1 - m2, sumQ = m3 + m4, differenceQ = m3 - m4;
                V y0 = V.Load(from) + sumP + sumQ + bias;
                V y1 = V.Fma(p, differenceP, V.Fma(q, differenceQ, bias));
                V y2 = V.Fma(p2, sumP, V.Fma(q2, sumQ, bias));
                V y3 = V.Fma(p3, differenceP, V.Fma(q3, differenceQ, V.Load(from3 + 2 * step) + bias));
                check = V.Fma(zero, y0 + y1 + (y2 + y3), check);
                y0.Store(to);
                y1.Store(to + toStep);
                y2.Store(to + 2 * toStep);
                y3.Store(to + 3 * toStep);
            }
        }
        return check;
    }

    /// <summary>A: 4 gradients of outputs to 6 products.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Upstream<T, V>(int groups, int count, in WinogradLines<T> source, in WinogradLines<T> target)
        where T : unmanaged, IFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        V p = V.Constant(P), q = V.Constant(Q), p2 = V.Constant(P2), q2 = V.Constant(Q2), p3 = V.Constant(P2 * P), q3 = V.Constant(Q2 * Q);
        nint stride = source.Stride, step = source.Step, toStride = target.Stride, toStep = target.Step;
        for (int group = 0; group < groups; group++)
        {
            T* from = source.First + group * source.Span;
            T* to = target.First + group * target.Span;
            for (int n = 0; n < count; n++, from += stride, to += toStride)
            {
                T* to3 = to + 3 * toStep;
                V y0 = V.Load(from), y1 = V.Load(from + step), y2 = V.Load(from + 2 * step), y3 = V.Load(from + 3 * step);
                V evenP = V.Fma(p2, y2, y0), oddP = V.Fma(p3, y3, p * y1);
                V evenQ = V.Fma(q2, y2, y0), oddQ = V.Fma(q3, y3, q * y1);
                y0.Store(to);
                (evenP + oddP).Store(to + toStep);
                (evenP - oddP).Store(to + 2 * toStep);
                (evenQ + oddQ).Store(to3);
                (evenQ - oddQ).Store(to3 + toStep);
                y3.Store(to3 + 2 * toStep);
            }
        }
    }

    /// <summary>G: 3 weights to 6.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Weight<T, V>(int groups, int count, in WinogradLines<T> source, in WinogradLines<T> target)
        where T : unmanaged, IFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        V g0 = V.Constant(G0), gp = V.Constant(GP), gq = V.Constant(GQ);
        V gp1 = V.Constant(GP * P), gq1 = V.Constant(GQ * Q), gp2 = V.Constant(GP * P2), gq2 = V.Constant(GQ * Q2);
        nint stride = source.Stride, step = source.Step, toStride = target.Stride, toStep = target.Step;
        for (int group = 0; group < groups; group++)
        {
            T* from = source.First + group * source.Span;
            T* to = target.First + group * target.Span;
            for (int n = 0; n < count; n++, from += stride, to += toStride)
            {
                T* to3 = to + 3 * toStep;
                V w0 = V.Load(from), w1 = V.Load(from + step), w2 = V.Load(from + 2 * step);
                V evenP = V.Fma(gp2, w2, gp * w0), oddP = gp1 * w1;
                V evenQ = V.Fma(gq2, w2, gq * w0), oddQ = gq1 * w1;
                (g0 * w0).Store(to);
                (evenP + oddP).Store(to + toStep);
                (evenP - oddP).Store(to + 2 * toStep);
                (evenQ + oddQ).Store(to3);
                (evenQ - oddQ).Store(to3 + toStep);
                w2.Store(to3 + 2 * toStep);
            }
        }
    }

    /// <summary>Gᵀ: 6 products to the gradients of 3 weights; the result is NaN in a lane in which something is not finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static V WeightGradient<T, V>(int groups, int count, in WinogradLines<T> source, in WinogradLines<T> target)
        where T : unmanaged, IFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        V g0 = V.Constant(G0), gp = V.Constant(GP), gq = V.Constant(GQ);
        V gp1 = V.Constant(GP * P), gq1 = V.Constant(GQ * Q), gp2 = V.Constant(GP * P2), gq2 = V.Constant(GQ * Q2);
        V check = V.Zero, zero = V.Zero;
        nint stride = source.Stride, step = source.Step, toStride = target.Stride, toStep = target.Step;
        for (int group = 0; group < groups; group++)
        {
            T* from = source.First + group * source.Span;
            T* to = target.First + group * target.Span;
            for (int n = 0; n < count; n++, from += stride, to += toStride)
            {
                T* from3 = from + 3 * step;
                V s1 = V.Load(from + step), s2 = V.Load(from + 2 * step), s3 = V.Load(from3), s4 = V.Load(from3 + step);
                V sumP = s1 + s2, sumQ = s3 + s4;
                V w0 = V.Fma(g0, V.Load(from), V.Fma(gp, sumP, gq * sumQ));
                V w1 = V.Fma(gp1, s1 - s2, gq1 * (s3 - s4));
                V w2 = V.Fma(gp2, sumP, V.Fma(gq2, sumQ, V.Load(from3 + 2 * step)));
                check = V.Fma(zero, w0 + w1 + w2, check);
                w0.Store(to);
                w1.Store(to + toStep);
                w2.Store(to + 2 * toStep);
            }
        }
        return check;
    }
}

/// <summary>Lines of vectors: element e of line n of group g lies at g·span + n·stride + e·step.</summary>
internal readonly unsafe struct WinogradLines<T>(T* first, nint span, nint stride, nint step) where T : unmanaged
{
    public readonly T* First = first;
    public readonly nint Span = span;
    public readonly nint Stride = stride;
    public readonly nint Step = step;
}
