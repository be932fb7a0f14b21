using System.Numerics;
using Fathom.Training.Execution;

namespace Fathom.Training.Clipping;

/// <summary>Norms of gradients, summed in double, so that neither tiny nor huge elements are lost.</summary>
public static class GradientNorm
{
    /// <summary>Σ x².</summary>
    public static double SumOfSquares<T>(ReadOnlySpan<T> x) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Vector<double> a = default;
        Vector<double> b = default;
        int i = 0;
        for (; i <= x.Length - Vector<T>.Count; i += Vector<T>.Count)
        {
            Vector<T> elements = new(x[i..]);
            if (typeof(T) == typeof(float))
            {
                Vector.Widen(elements.As<T, float>(), out Vector<double> low, out Vector<double> high);
                a += low * low;
                b += high * high;
            }
            else
            {
                Vector<double> wide = elements.As<T, double>();
                a += wide * wide;
            }
        }
        double sum = Vector.Sum(a + b);
        for (; i < x.Length; i++)
        {
            double element = double.CreateTruncating(x[i]);
            sum += element * element;
        }
        return sum;
    }

    /// <summary>Σ |x|.</summary>
    public static double SumOfMagnitudes<T>(ReadOnlySpan<T> x) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Vector<double> a = default;
        Vector<double> b = default;
        int i = 0;
        for (; i <= x.Length - Vector<T>.Count; i += Vector<T>.Count)
        {
            Vector<T> elements = Vector.Abs(new Vector<T>(x[i..]));
            if (typeof(T) == typeof(float))
            {
                Vector.Widen(elements.As<T, float>(), out Vector<double> low, out Vector<double> high);
                a += low;
                b += high;
            }
            else
            {
                a += elements.As<T, double>();
            }
        }
        double sum = Vector.Sum(a + b);
        for (; i < x.Length; i++)
        {
            sum += Math.Abs(double.CreateTruncating(x[i]));
        }
        return sum;
    }

    /// <summary>(Σ |x|^p)^(1/p); the largest |x| for infinite p.</summary>
    public static double Of<T>(ReadOnlySpan<T> x, double p = 2) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        p == 2 ? Math.Sqrt(SumOfSquares(x)) : Root(Fold(0, x, p), p);

    /// <summary>The norm over the gradients of all trainable parameters together.</summary>
    public static double Of<T>(ParameterStore<T> store, double p = 2) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        double sum = 0;
        for (int i = 0; i < store.Slices.Count; i++)
        {
            if (store.Slices[i].Trainable)
            {
                ReadOnlySpan<T> gradient = store.Gradient(store.Slices[i]);
                sum = p == 2 ? sum + SumOfSquares(gradient) : Fold(sum, gradient, p);
            }
        }
        return p == 2 ? Math.Sqrt(sum) : Root(sum, p);
    }

    private static double Fold<T>(double sum, ReadOnlySpan<T> x, double p) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        foreach (T element in x)
        {
            double magnitude = Math.Abs(double.CreateTruncating(element));
            sum = double.IsInfinity(p) ? Math.Max(sum, magnitude) : sum + (p == 1 ? magnitude : Math.Pow(magnitude, p));
        }
        return sum;
    }

    private static double Root(double sum, double p) => double.IsInfinity(p) || p == 1 ? sum : Math.Pow(sum, 1 / p);
}
