using System.Numerics;
using System.Numerics.Tensors;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// The rows of a cross-entropy, forward or backward. A row is copied to scratch memory and turned into e^(x − max)
/// there; sums and logarithms are in double.
/// </summary>
internal unsafe struct CrossEntropyRows<T> : IParallelJob where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int ElementsPerPart = 4096;

    private const int FewClasses = 64;

    private CrossEntropyLoss loss;
    private Buffer<T> prediction;
    private Buffer<T> targets;
    private Buffer<int> labels;
    private Buffer<T> weights;
    private Buffer<T> scratch;
    private double low;
    private double high;

    /// <summary>Receives the term of each row; empty if the gradient is wanted.</summary>
    public Buffer<T> Terms;

    /// <summary>Receives the gradient; empty if the terms are wanted.</summary>
    public Buffer<T> Gradient;

    public Buffer<T> Upstream;

    public double UpstreamDivisor;

    public ClassLayout Layout { get; private set; }

    private readonly int RowsPerPart => Math.Max(1, ElementsPerPart / Layout.Classes);

    public static CrossEntropyRows<T> Over(CrossEntropyLoss loss, in KernelContext<T> context, int first) => new()
    {
        loss = loss,
        Layout = new ClassLayout(context.InputShape(first), loss.ClassAxis),
        prediction = context.Input(first),
        targets = context.Input(first + 1),
        labels = context.Inputs[first + 1].Index,
        weights = loss.ClassWeights ? context.Input(first + 2) : default,
        scratch = context.Scratch,
        low = (float)loss.Epsilon,
        high = (float)(1 - loss.Epsilon),
    };

    public void Run(WorkerPool pool) => pool.Run(ref this, (Layout.Rows + RowsPerPart - 1) / RowsPerPart);

    /// <summary>What the sum of all terms is divided by.</summary>
    public readonly double Divisor()
    {
        if (loss.Reduction is LossReduction.Sum or LossReduction.None)
        {
            return 1;
        }
        if (loss.Reduction == LossReduction.BatchMean || loss.OneHot)
        {
            return Layout.Rows;
        }
        double sum = 0;
        for (int row = 0; row < Layout.Rows; row++)
        {
            int label = labels.Pointer[row];
            if (label != loss.IgnoreIndex)
            {
                Layout.RequireClass(loss.Kind, row, label);
                sum += Weight(label);
            }
        }
        return sum;
    }

    public readonly void Execute(int part, int worker)
    {
        int end = Math.Min(Layout.Rows, (part + 1) * RowsPerPart);
        for (int row = part * RowsPerPart; row < end; row++)
        {
            Row(row);
        }
    }

    private readonly void Row(int row)
    {
        int start = Layout.Start(row);
        int label = loss.OneHot ? -1 : labels.Pointer[row];
        if (!loss.OneHot && label == loss.IgnoreIndex)
        {
            Skip(row, start);
            return;
        }
        if (!loss.OneHot)
        {
            Layout.RequireClass(loss.Kind, row, label);
        }
        Buffer<T> x = scratch.Slice(row * Layout.Classes, Layout.Classes);
        for (int c = 0; c < x.Length; c++)
        {
            x.Pointer[c] = prediction.Pointer[start + c * Layout.Stride];
        }
        double max = 0;
        if (loss.FromLogits)
        {
            T shift = Largest(x);
            max = double.CreateTruncating(shift);
            Elementwise.Map(new ShiftedExp(shift), x, x, WorkerPool.Single);
        }
        double rest = SumWithout(x, label);
        double own = label < 0 ? 0 : double.CreateTruncating(x.Pointer[label]);
        double sum = own + rest;
        if (Gradient.IsEmpty)
        {
            Terms.Pointer[row] = T.CreateTruncating(Term(start, label, max, own, rest));
            return;
        }
        double scale = double.CreateTruncating(Upstream.Pointer[Upstream.Length == Layout.Rows ? row : 0]) / UpstreamDivisor;
        if (loss.FromLogits)
        {
            LogitGradient(x, start, label, sum, rest, scale);
        }
        else
        {
            ProbabilityGradient(x, start, label, sum, scale);
        }
        for (int c = 0; c < x.Length; c++)
        {
            Gradient.Pointer[start + c * Layout.Stride] = x.Pointer[c];
        }
    }

    private readonly void Skip(int row, int start)
    {
        if (Gradient.IsEmpty)
        {
            Terms.Pointer[row] = T.Zero;
            return;
        }
        for (int c = 0; c < Layout.Classes; c++)
        {
            Gradient.Pointer[start + c * Layout.Stride] = T.Zero;
        }
    }

    private readonly double Term(int start, int label, double max, double own, double rest)
    {
        double sum = own + rest;
        bool single = IsSingle(label);
        // Where the label's e^(x − max) is 1 and the rest is tiny, ln(1 + rest) keeps its digits as a series.
        double logSum = !loss.FromLogits ? 0 : own == 1 && rest < 1e-6 ? rest - rest * rest / 2 : Math.Log(sum);
        double term = 0;
        for (int c = single ? label : 0; c < (single ? label + 1 : Layout.Classes); c++)
        {
            double a = Coefficient(start, c, label);
            double x = double.CreateTruncating(prediction.Pointer[start + c * Layout.Stride]);
            double minusLog = loss.FromLogits ? logSum - (x - max) : -Math.Log(Math.Clamp(x / sum, low, high));
            // A class without weight does not count, even where its log-probability is −∞; but NaN is NaN everywhere.
            term += a != 0 || double.IsNaN(minusLog) ? a * minusLog : 0;
        }
        return term;
    }

    /// <summary>dx_c = A·p_c − a_c with A = Σ a. At a single target it is −a·rest/Σ e, which does not cancel.</summary>
    private readonly void LogitGradient(Buffer<T> x, int start, int label, double sum, double rest, double scale)
    {
        if (IsSingle(label))
        {
            double a = Coefficient(start, label, label) * scale;
            Scale(x, T.CreateTruncating(a / sum));
            x.Pointer[label] = T.CreateTruncating(-a * (rest / sum));
            return;
        }
        double total = 0;
        for (int c = 0; c < x.Length; c++)
        {
            total += Coefficient(start, c, label);
        }
        for (int c = 0; c < x.Length; c++)
        {
            double p = double.CreateTruncating(x.Pointer[c]) / sum;
            x.Pointer[c] = T.CreateTruncating(scale * (total * p - Coefficient(start, c, label)));
        }
    }

    /// <summary>With p = x/S and g_c = −a_c/p_c, or 0 where p_c is clipped: dx_j = (g_j − Σ_c g_c·p_c)/S.</summary>
    private readonly void ProbabilityGradient(Buffer<T> x, int start, int label, double sum, double scale)
    {
        double dot = 0;
        for (int c = 0; c < x.Length; c++)
        {
            double p = double.CreateTruncating(x.Pointer[c]) / sum;
            dot -= p >= low && p <= high ? Coefficient(start, c, label) : 0;
        }
        for (int c = 0; c < x.Length; c++)
        {
            double p = double.CreateTruncating(x.Pointer[c]) / sum;
            double slope = p >= low && p <= high ? -Coefficient(start, c, label) / p : 0;
            x.Pointer[c] = T.CreateTruncating(scale * (slope - dot) / sum);
        }
    }

    /// <summary>True if one class alone has a coefficient.</summary>
    private readonly bool IsSingle(int label) => label >= 0 && loss.LabelSmoothing == 0;

    /// <summary>a_c.</summary>
    private readonly double Coefficient(int start, int c, int label)
    {
        double target = label < 0 ? double.CreateTruncating(targets.Pointer[start + c * Layout.Stride]) : c == label ? 1 : 0;
        return Weight(c) * ((1 - loss.LabelSmoothing) * target + loss.LabelSmoothing / Layout.Classes);
    }

    private readonly double Weight(int c) => weights.IsEmpty ? 1 : double.CreateTruncating(weights.Pointer[c]);

    /// <summary>Sum of all elements but the label's; of all, if there is no label.</summary>
    private static double SumWithout(Buffer<T> x, int label)
    {
        double sum = 0;
        int middle = label < 0 ? x.Length : label;
        for (int c = 0; c < middle; c++)
        {
            sum += double.CreateTruncating(x.Pointer[c]);
        }
        for (int c = middle + 1; c < x.Length; c++)
        {
            sum += double.CreateTruncating(x.Pointer[c]);
        }
        return sum;
    }

    /// <summary>The largest element; NaN if there is one. Few classes are not worth the compilation of a vector loop.</summary>
    private static T Largest(Buffer<T> x)
    {
        if (x.Length > FewClasses)
        {
            LargestKernel kernel = new() { Row = x.Pointer, Length = x.Length };
            VectorKernel.Run<T, LargestKernel>(ref kernel);
            return kernel.Largest;
        }
        T largest = x.Pointer[0];
        for (int c = 1; c < x.Length; c++)
        {
            largest = x.Pointer[c] > largest || T.IsNaN(x.Pointer[c]) ? x.Pointer[c] : largest;
        }
        return largest;
    }

    private unsafe struct LargestKernel : IVectorKernel<T>
    {
        public T* Row;
        public int Length;
        public T Largest;

        public void Invoke<V>() where V : struct, ISimd<V, T> => Largest = SoftmaxKernel.Largest<V, T>(Row, Length);
    }

    private static void Scale(Buffer<T> x, T factor)
    {
        if (x.Length > FewClasses)
        {
            TensorPrimitives.Multiply<T>(x, factor, x);
            return;
        }
        for (int c = 0; c < x.Length; c++)
        {
            x.Pointer[c] *= factor;
        }
    }

    private readonly struct ShiftedExp(T shift) : IUnaryOperator<T>
    {
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => V.Exp(x - V.Broadcast(shift));
    }
}
