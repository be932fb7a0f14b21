using System.Collections.Immutable;
using System.Numerics;
using System.Numerics.Tensors;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// How much a layer likes its input, as a logit: scale·(mean of x² over the last axis − threshold). (…, units) to (…, 1).
/// The goodness of the forward-forward algorithm, Hinton (2022), equation 1; with scale = units it is the sum of squares.
/// </summary>
/// <param name="Threshold">Mean square at which real and made-up data are equally likely; 0 or more.</param>
/// <param name="Scale">Factor on the distance; above 0.</param>
public sealed record Goodness(double Threshold = 1, double Scale = 1) : Op
{
    public override string Kind => "goodness";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!(Threshold >= 0 && double.IsFinite(Threshold)))
        {
            throw scope.BadAttribute("threshold", Threshold, "0 or more and finite");
        }
        if (!(Scale > 0 && double.IsFinite(Scale)))
        {
            throw scope.BadAttribute("scale", Scale, "above 0 and finite");
        }
        CapsuleVector.Require(scope, inputs: 1);
        return [new TensorType(scope.Shape(0).WithLast(1))];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        GoodnessJob<T>.Run(context.Input(0), default, context.Output(0), context.InputShape(0)[^1], Threshold, Scale, context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new GoodnessGradient(Scale), "input", scope.Upstream, scope.Input(0)));
        }
    }
}

/// <summary>dx = dy·2·scale/units·x. Inputs: dy (…, 1), x (…, units). Output: dx.</summary>
public sealed record GoodnessGradient(double Scale) : Op
{
    public override string Kind => "goodness_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [scope[1]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        GoodnessJob<T>.Run(context.Input(1), context.Input(0), context.Output(0), context.InputShape(1)[^1], 0, Scale, context.Pool);
}

/// <summary>The verb of <see cref="Goodness"/>.</summary>
public static class GoodnessLayer
{
    public static NetworkCursor Goodness(this NetworkCursor network, double threshold = 1, double scale = 1, string? name = null) =>
        network.Then(new Goodness(threshold, scale), name);
}

/// <summary>The goodness of every row, or its gradient if there is an upstream one.</summary>
internal unsafe struct GoodnessJob<T> : IParallelJob where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Elements per part; fixed, so that results do not depend on the number of threads.</summary>
    private const int PartElements = 8192;

    private T* x, upstream, result;
    private int rows, units, rowsPerPart;
    private double threshold, scale;

    public static void Run(Buffer<T> x, Buffer<T> upstream, Buffer<T> result, int units, double threshold, double scale, WorkerPool pool)
    {
        GoodnessJob<T> job = new()
        {
            x = x.Pointer, upstream = upstream.Pointer, result = result.Pointer, rows = x.Length / units, units = units,
            rowsPerPart = Math.Max(1, PartElements / units), threshold = threshold, scale = scale,
        };
        pool.Run(ref job, (job.rows + job.rowsPerPart - 1) / job.rowsPerPart);
    }

    public readonly void Execute(int part, int worker)
    {
        int last = Math.Min(rows, (part + 1) * rowsPerPart);
        for (int row = part * rowsPerPart; row < last; row++)
        {
            ReadOnlySpan<T> from = new(x + (long)row * units, units);
            if (upstream == null)
            {
                double mean = double.CreateTruncating(TensorPrimitives.SumOfSquares(from)) / units;
                result[row] = T.CreateTruncating(scale * (mean - threshold));
            }
            else
            {
                T factor = T.CreateTruncating(double.CreateTruncating(upstream[row]) * 2 * scale / units);
                TensorPrimitives.Multiply(from, factor, new Span<T>(result + (long)row * units, units));
            }
        }
    }
}
