using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Output j is the largest of the inputs j·k … j·k + k − 1 of the last axis: (…, features) to (…, features/k). Among
/// equals the first one gets the gradient. Goodfellow et al. (2013).
/// </summary>
/// <param name="PoolSize">The number k of inputs per output; must divide the last axis.</param>
public sealed record Maxout(int PoolSize = 2) : Op
{
    public override string Kind => "maxout";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (PoolSize < 1)
        {
            throw scope.BadAttribute("pool_size", PoolSize, "1 or more");
        }
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        scope.RequireRank(0, 1);
        Dim features = scope.Shape(0)[^1];
        if (features.PerSample || features.Size % PoolSize != 0)
        {
            throw scope.Error(FormattableString.Invariant($"a last axis that is a multiple of pool_size {PoolSize}"), $"shape {scope.Shape(0)}");
        }
        return [new TensorType(scope.Shape(0).WithLast(features.Size / PoolSize))];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        MaxoutJob<T>.Run(context.Input(0), default, context.Output(0), context.Output(0).Length, PoolSize, context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new MaxoutGradient(PoolSize), "input", scope.Upstream, scope.Input(0)));
        }
    }
}

/// <summary>dy where x is the first maximum of its pool, otherwise 0. Inputs: dy, x. Output: dx.</summary>
public sealed record MaxoutGradient(int PoolSize) : Op
{
    public override string Kind => "maxout_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [scope[1]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        MaxoutJob<T>.Run(context.Input(1), context.Input(0), context.Output(0), context.Input(0).Length, PoolSize, context.Pool);
}

/// <summary>The verb of <see cref="Maxout"/>.</summary>
public static class MaxoutLayer
{
    public static NetworkCursor Maxout(this NetworkCursor network, int poolSize = 2, string? name = null) => network.Then(new Maxout(poolSize), name);
}

/// <summary>Finds the first maximum of each pool (a NaN counts as one), and takes it or sends the gradient there.</summary>
internal unsafe struct MaxoutJob<T> : IParallelJob where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int PoolsPerPart = 4096;

    private T* x;
    private T* upstream;
    private T* result;
    private int pools;
    private int poolSize;

    public static void Run(Buffer<T> x, Buffer<T> upstream, Buffer<T> result, int pools, int poolSize, WorkerPool pool)
    {
        MaxoutJob<T> job = new() { x = x.Pointer, upstream = upstream.Pointer, result = result.Pointer, pools = pools, poolSize = poolSize };
        pool.Run(ref job, (pools + PoolsPerPart - 1) / PoolsPerPart);
    }

    public readonly void Execute(int part, int worker)
    {
        int last = Math.Min(pools, (part + 1) * PoolsPerPart);
        for (int pool = part * PoolsPerPart; pool < last; pool++)
        {
            long start = (long)pool * poolSize;
            int best = FirstMaximum(x + start);
            if (upstream == null)
            {
                result[pool] = x[start + best];
                continue;
            }
            for (int i = 0; i < poolSize; i++)
            {
                result[start + i] = i == best ? upstream[pool] : T.Zero;
            }
        }
    }

    private readonly int FirstMaximum(T* pool)
    {
        int best = 0;
        for (int i = 0; i < poolSize && !T.IsNaN(pool[best]); i++)
        {
            if (pool[i] > pool[best] || T.IsNaN(pool[i]))
            {
                best = i;
            }
        }
        return best;
    }
}
