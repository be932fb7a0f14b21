using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>e^x / Σ e^x over one axis. Input and output of one shape. Bridle (1990).</summary>
/// <param name="Axis">The axis that sums to 1; negative from the end.</param>
public sealed record Softmax(int Axis = -1) : Op
{
    public override string Kind => "softmax";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope) => SoftmaxKernel.Infer(scope, Axis);

    public override void Run<T>(in KernelContext<T> context) =>
        SoftmaxForward<T>.Run(context.Input(0), context.Output(0), AxisSplit.Of(context.InputShape(0), Axis), logarithm: false, context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new SoftmaxGradient(Axis, Logarithm: false), "input", scope.Upstream, scope.Output(0)));
        }
    }
}

/// <summary>
/// x − ln Σ e^x over one axis, which stays finite where softmax underflows. Input and output of one shape. Bridle
/// (1990).
/// </summary>
/// <param name="Axis">The axis over which probabilities sum to 1; negative from the end.</param>
public sealed record LogSoftmax(int Axis = -1) : Op
{
    public override string Kind => "log_softmax";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope) => SoftmaxKernel.Infer(scope, Axis);

    public override void Run<T>(in KernelContext<T> context) =>
        SoftmaxForward<T>.Run(context.Input(0), context.Output(0), AxisSplit.Of(context.InputShape(0), Axis), logarithm: true, context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new SoftmaxGradient(Axis, Logarithm: true), "input", scope.Upstream, scope.Output(0)));
        }
    }
}

/// <summary>
/// Of softmax dx = y·(dy − Σ dy·y), of its logarithm dx = dy − e^y·Σ dy. Inputs: dy, y. Output: dx.
/// </summary>
public sealed record SoftmaxGradient(int Axis, bool Logarithm) : Op
{
    public override string Kind => Logarithm ? "log_softmax_gradient" : "softmax_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        scope.RequireShape(1, scope.Shape(0));
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        SoftmaxBackward<T>.Run(context.Input(0), context.Input(1), context.Output(0), AxisSplit.Of(context.InputShape(0), Axis), Logarithm, context.Pool);
}

/// <summary>The verb of <see cref="Softmax"/>.</summary>
public static class SoftmaxLayer
{
    public static NetworkCursor Softmax(this NetworkCursor network, int axis = -1, string? name = null) => network.Then(new Softmax(axis), name);
}

/// <summary>The verb of <see cref="LogSoftmax"/>.</summary>
public static class LogSoftmaxLayer
{
    public static NetworkCursor LogSoftmax(this NetworkCursor network, int axis = -1, string? name = null) => network.Then(new LogSoftmax(axis), name);
}

/// <summary>What both kernels share: the shape rule and the partition.</summary>
internal static class SoftmaxKernel
{
    /// <summary>Elements per part; fixed, so that results do not depend on the number of threads.</summary>
    private const int PartElements = 8192;

    public static ImmutableArray<TensorType> Infer(ShapeScope scope, int axis)
    {
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        AxisSplit.Resolve(scope, "axis", axis);
        return [scope[0]];
    }

    public static int SlicesPerPart(AxisSplit split) => Math.Max(1, PartElements / Math.Max(1, split.Length * split.Inner));

    /// <summary>The maximum of a row; NaN if any element is.</summary>
    public static unsafe T Largest<V, T>(T* row, int length) where V : struct, ISimd<V, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T largest = row[0];
        int i = 0;
        if (length >= V.Count)
        {
            V lanes = V.Load(row);
            for (i = V.Count; i <= length - V.Count; i += V.Count)
            {
                lanes = V.Max(lanes, V.Load(row + i));
            }
            T* spill = stackalloc T[V.Count];
            lanes.Store(spill);
            for (int lane = 0; lane < V.Count; lane++)
            {
                largest = Vec1<T>.Max(new(largest), new(spill[lane])).Value;
            }
        }
        for (; i < length; i++)
        {
            largest = Vec1<T>.Max(new(largest), new(row[i])).Value;
        }
        return largest;
    }
}

/// <summary>
/// Softmax of every line along the axis. Where the axis is the last one, lanes run along it and are summed at its end;
/// elsewhere each lane is a line of its own.
/// </summary>
internal unsafe struct SoftmaxForward<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* x;
    private T* y;
    private AxisSplit split;
    private bool logarithm;
    private int slicesPerPart;
    private int first;

    public static void Run(Buffer<T> x, Buffer<T> y, AxisSplit split, bool logarithm, WorkerPool pool)
    {
        SoftmaxForward<T> job = new() { x = x.Pointer, y = y.Pointer, split = split, logarithm = logarithm, slicesPerPart = SoftmaxKernel.SlicesPerPart(split) };
        pool.Run(ref job, (split.Outer + job.slicesPerPart - 1) / job.slicesPerPart);
    }

    public readonly void Execute(int part, int worker)
    {
        SoftmaxForward<T> mine = this;
        mine.first = part * slicesPerPart;
        VectorKernel.Run<T, SoftmaxForward<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int last = Math.Min(first + slicesPerPart, split.Outer);
        for (int slice = first; slice < last; slice++)
        {
            long start = (long)slice * split.Length * split.Inner;
            if (split.Inner == 1)
            {
                Row<V>(x + start, y + start);
                continue;
            }
            for (int lane = 0; lane < split.Inner; lane += V.Count)
            {
                Lanes<V>(x + start + lane, y + start + lane, split.Inner - lane);
            }
        }
    }

    private readonly void Row<V>(T* from, T* to) where V : struct, ISimd<V, T>
    {
        int length = split.Length;
        V largest = V.Broadcast(SoftmaxKernel.Largest<V, T>(from, length));
        V sum = V.Zero;
        for (int i = 0; i < length; i += V.Count)
        {
            int count = length - i;
            VectorKernel.Write<V, T>(V.Exp(VectorKernel.Read<V, T>(from + i, count) - largest), to + i, count);
            sum += VectorKernel.Read<V, T>(to + i, count); // read back, because lanes beyond the end must count as 0
        }
        V total = V.Broadcast(V.Sum(sum));
        V normalizer = logarithm ? V.Log(total) : total;
        for (int i = 0; i < length; i += V.Count)
        {
            int count = length - i;
            V result = logarithm
                ? VectorKernel.Read<V, T>(from + i, count) - largest - normalizer
                : VectorKernel.Read<V, T>(to + i, count) / normalizer;
            VectorKernel.Write(result, to + i, count);
        }
    }

    private readonly void Lanes<V>(T* from, T* to, int count) where V : struct, ISimd<V, T>
    {
        int stride = split.Inner;
        V largest = VectorKernel.Read<V, T>(from, count);
        for (int j = 1; j < split.Length; j++)
        {
            largest = V.Max(largest, VectorKernel.Read<V, T>(from + (long)j * stride, count));
        }
        V sum = V.Zero;
        for (int j = 0; j < split.Length; j++)
        {
            V power = V.Exp(VectorKernel.Read<V, T>(from + (long)j * stride, count) - largest);
            VectorKernel.Write(power, to + (long)j * stride, count);
            sum += power;
        }
        V normalizer = logarithm ? V.Log(sum) : sum;
        for (int j = 0; j < split.Length; j++)
        {
            V result = logarithm
                ? VectorKernel.Read<V, T>(from + (long)j * stride, count) - largest - normalizer
                : VectorKernel.Read<V, T>(to + (long)j * stride, count) / normalizer;
            VectorKernel.Write(result, to + (long)j * stride, count);
        }
    }
}

/// <summary>The gradient of every line along the axis, partitioned as the forward pass is.</summary>
internal unsafe struct SoftmaxBackward<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* upstream;
    private T* y;
    private T* dx;
    private AxisSplit split;
    private bool logarithm;
    private int slicesPerPart;
    private int first;

    public static void Run(Buffer<T> upstream, Buffer<T> y, Buffer<T> dx, AxisSplit split, bool logarithm, WorkerPool pool)
    {
        SoftmaxBackward<T> job = new()
        {
            upstream = upstream.Pointer, y = y.Pointer, dx = dx.Pointer, split = split, logarithm = logarithm,
            slicesPerPart = SoftmaxKernel.SlicesPerPart(split),
        };
        pool.Run(ref job, (split.Outer + job.slicesPerPart - 1) / job.slicesPerPart);
    }

    public readonly void Execute(int part, int worker)
    {
        SoftmaxBackward<T> mine = this;
        mine.first = part * slicesPerPart;
        VectorKernel.Run<T, SoftmaxBackward<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int last = Math.Min(first + slicesPerPart, split.Outer);
        for (int slice = first; slice < last; slice++)
        {
            long start = (long)slice * split.Length * split.Inner;
            if (split.Inner == 1)
            {
                Row<V>(start);
                continue;
            }
            for (int lane = 0; lane < split.Inner; lane += V.Count)
            {
                Lanes<V>(start + lane, split.Inner - lane);
            }
        }
    }

    private readonly void Row<V>(long start) where V : struct, ISimd<V, T>
    {
        V sum = V.Zero;
        for (int i = 0; i < split.Length; i += V.Count)
        {
            sum += Term<V>(start + i, split.Length - i);
        }
        V total = V.Broadcast(V.Sum(sum));
        for (int i = 0; i < split.Length; i += V.Count)
        {
            Apply(total, start + i, split.Length - i);
        }
    }

    private readonly void Lanes<V>(long start, int count) where V : struct, ISimd<V, T>
    {
        V sum = V.Zero;
        for (int j = 0; j < split.Length; j++)
        {
            sum += Term<V>(start + (long)j * split.Inner, count);
        }
        for (int j = 0; j < split.Length; j++)
        {
            Apply(sum, start + (long)j * split.Inner, count);
        }
    }

    private readonly V Term<V>(long at, int count) where V : struct, ISimd<V, T>
    {
        V gradient = VectorKernel.Read<V, T>(upstream + at, count);
        return logarithm ? gradient : gradient * VectorKernel.Read<V, T>(y + at, count);
    }

    private readonly void Apply<V>(V sum, long at, int count) where V : struct, ISimd<V, T>
    {
        V gradient = VectorKernel.Read<V, T>(upstream + at, count);
        V output = VectorKernel.Read<V, T>(y + at, count);
        V result = logarithm ? gradient - V.Exp(output) * sum : output * (gradient - sum);
        VectorKernel.Write(result, dx + at, count);
    }
}
