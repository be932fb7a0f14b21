using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Matrix product of the last two axes: (…, m, k) by (…, k, n) to (…, m, n). The leading axes broadcast as in NumPy: they
/// are aligned at their ends, and an extent of 1 stretches.
/// </summary>
/// <param name="TransposeA">The first input is (…, k, m).</param>
/// <param name="TransposeB">The second input is (…, n, k).</param>
public sealed record MatMul(bool TransposeA = false, bool TransposeB = false) : Op
{
    public override string Kind => "matmul";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        for (int i = 0; i < 2; i++)
        {
            scope.RequireKind(i, ElementKind.Real);
            scope.RequireRank(i, 2);
        }
        (Shape a, Shape b) = (scope.Shape(0), scope.Shape(1));
        (Dim rows, Dim inner) = TransposeA ? (a[^1], a[^2]) : (a[^2], a[^1]);
        (Dim other, Dim columns) = TransposeB ? (b[^1], b[^2]) : (b[^2], b[^1]);
        if (inner != other)
        {
            throw scope.Error($"inputs whose inner axes agree{Transposes()}", $"{inner} and {other} in shapes {a} and {b}");
        }
        int rank = Math.Max(a.Rank, b.Rank);
        ImmutableArray<Dim>.Builder dims = ImmutableArray.CreateBuilder<Dim>(rank);
        for (int axis = 0; axis < rank - 2; axis++)
        {
            Dim left = Leading(a, axis - (rank - a.Rank));
            Dim right = Leading(b, axis - (rank - b.Rank));
            if (left != right && left != new Dim(1) && right != new Dim(1))
            {
                throw scope.Error("leading axes that are equal or 1", $"{left} and {right} in shapes {a} and {b}");
            }
            dims.Add(left == new Dim(1) ? right : left);
        }
        dims.Add(rows);
        dims.Add(columns);
        return [new TensorType(new Shape(dims.MoveToImmutable()))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        int[] a = context.InputShape(0);
        int[] y = context.OutputShape(0);
        BatchedProduct<T> product = new(TransposeA, TransposeB, y[^2], y[^1], TransposeA ? a[^2] : a[^1]);
        product.Run(y, context.Input(0), a, context.Input(1), context.InputShape(1), context.Output(0), y, context.Pool);
    }

    public override void Differentiate(GradientScope scope)
    {
        for (int operand = 0; operand < 2; operand++)
        {
            if (scope.Needs(operand))
            {
                MatMulGradient gradient = new(TransposeA, TransposeB, OfB: operand == 1, scope.Input(operand).Shape);
                scope.Contribute(operand, scope.Emit(gradient, operand == 0 ? "a" : "b", scope.Upstream, scope.Input(1 - operand)));
            }
        }
    }

    private static Dim Leading(Shape shape, int axis) => axis < 0 ? 1 : shape[axis];

    private string Transposes() => (TransposeA, TransposeB) switch
    {
        (false, false) => "",
        (true, false) => " once the first is transposed",
        (false, true) => " once the second is transposed",
        _ => " once both are transposed",
    };
}

/// <summary>
/// With A and B as they enter the product, dA = dy·Bᵀ and dB = Aᵀ·dy, transposed back where the input is, and summed over
/// the axes in which it was stretched. Inputs: dy, the other operand. Output: the gradient of one operand.
/// </summary>
public sealed record MatMulGradient(bool TransposeA, bool TransposeB, bool OfB, Shape Target) : Op
{
    public override string Kind => "matmul_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [new TensorType(Target)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        (Buffer<T> dy, Buffer<T> other, Buffer<T> result) = (context.Input(0), context.Input(1), context.Output(0));
        (int[] dyShape, int[] otherShape, int[] shape) = (context.InputShape(0), context.InputShape(1), context.OutputShape(0));
        (int m, int n) = (dyShape[^2], dyShape[^1]);
        bool transposed = OfB ? TransposeB : TransposeA;
        int k = OfB == transposed ? shape[^1] : shape[^2];
        switch (OfB, transposed)
        {
            case (false, false):
                new BatchedProduct<T>(false, !TransposeB, m, k, n).Run(dyShape, dy, dyShape, other, otherShape, result, shape, context.Pool);
                break;
            case (false, true):
                new BatchedProduct<T>(TransposeB, true, k, m, n).Run(dyShape, other, otherShape, dy, dyShape, result, shape, context.Pool);
                break;
            case (true, false):
                new BatchedProduct<T>(!TransposeA, false, k, n, m).Run(dyShape, other, otherShape, dy, dyShape, result, shape, context.Pool);
                break;
            case (true, true):
                new BatchedProduct<T>(true, TransposeA, n, k, m).Run(dyShape, dy, dyShape, other, otherShape, result, shape, context.Pool);
                break;
        }
    }
}

/// <summary>The verb of <see cref="MatMul"/>.</summary>
public static class MatMulLayer
{
    /// <summary>Multiplies by another value from the right.</summary>
    public static NetworkCursor MatMul(this NetworkCursor network, NetworkCursor right, bool transposeA = false, bool transposeB = false, string? name = null) =>
        network.Then(new MatMul(transposeA, transposeB), name, null, right);
}

/// <summary>C = op(A)·op(B) for every matrix of a batch, each of A, B and C broadcast; a C that is met again is added to.</summary>
internal readonly struct BatchedProduct<T>(bool transposeLeft, bool transposeRight, int m, int n, int k) where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Walks through the leading axes of the full shape in order.</summary>
    public void Run(int[] batch, Buffer<T> left, int[] leftShape, Buffer<T> right, int[] rightShape, Buffer<T> result, int[] resultShape, WorkerPool pool)
    {
        int matrices = 1;
        for (int axis = 0; axis < batch.Length - 2; axis++)
        {
            matrices *= batch[axis];
        }
        if (Folds(matrices, left, right, result))
        {
            Multiply(matrices * m, k, left, right, result, accumulate: false, pool);
            return;
        }
        if (FoldsInner(matrices, left, right, result))
        {
            Multiply(m, matrices * k, left, right, result, accumulate: false, pool);
            return;
        }
        for (int matrix = 0; matrix < matrices; matrix++)
        {
            Multiply(m, k, Matrix(left, Locate(matrix, batch, leftShape), m * k), Matrix(right, Locate(matrix, batch, rightShape), k * n),
                Matrix(result, Locate(matrix, batch, resultShape), m * n), Met(matrix, batch, resultShape), pool);
        }
    }

    /// <summary>A batch of rows that all meet one right-hand matrix is one tall product.</summary>
    private bool Folds(int matrices, Buffer<T> left, Buffer<T> right, Buffer<T> result) =>
        matrices > 1 && !transposeLeft && right.Length == k * n && left.Length == matrices * m * k && result.Length == matrices * m * n;

    /// <summary>A batch of outer products summed into one matrix is one product with a long inner axis.</summary>
    private bool FoldsInner(int matrices, Buffer<T> left, Buffer<T> right, Buffer<T> result) =>
        transposeLeft && !transposeRight && result.Length == m * n && left.Length == matrices * m * k && right.Length == matrices * k * n;

    private void Multiply(int rows, int inner, Buffer<T> left, Buffer<T> right, Buffer<T> result, bool accumulate, WorkerPool pool) =>
        Gemm.Multiply(transposeLeft, transposeRight, rows, n, inner, left, transposeLeft ? rows : inner, right, transposeRight ? inner : n, result, n, accumulate, default, pool);

    private static Buffer<T> Matrix(Buffer<T> tensor, int index, int elements) => tensor.Slice(index * elements, elements);

    /// <summary>Whether an earlier matrix of the batch went to the same place: some stretched axis is past its start.</summary>
    private static bool Met(int matrix, int[] batch, int[] shape)
    {
        int missing = batch.Length - shape.Length;
        for (int axis = batch.Length - 3; axis >= 0; axis--)
        {
            int index = matrix % batch[axis];
            matrix /= batch[axis];
            bool stretched = axis < missing || shape[axis - missing] == 1;
            if (stretched && index > 0)
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Which matrix of a broadcast tensor belongs to a matrix of the batch.</summary>
    private static int Locate(int matrix, int[] batch, int[] shape)
    {
        int missing = batch.Length - shape.Length;
        int located = 0;
        int stride = 1;
        for (int axis = batch.Length - 3; axis >= missing; axis--)
        {
            int extent = shape[axis - missing];
            located += (extent == 1 ? 0 : matrix % batch[axis]) * stride;
            stride *= extent;
            matrix /= batch[axis];
        }
        return located;
    }
}
