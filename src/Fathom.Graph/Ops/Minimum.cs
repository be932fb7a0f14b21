using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>The smallest of two or more tensors of one shape, element by element; equal ones share the gradient.</summary>
public sealed record Minimum : Extremum
{
    public override string Kind => "minimum";

    public override void Run<T>(in KernelContext<T> context) => Fold(default(Pick<T>), context);

    private readonly struct Pick<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V a, V b) where V : struct, ISimd<V, T> => V.Min(a, b);
    }
}

/// <summary>The verb of <see cref="Minimum"/>.</summary>
public static class MinimumLayer
{
    /// <summary>The smallest of this value and others of the same shape, element by element.</summary>
    public static NetworkCursor Minimum(this NetworkCursor network, params ReadOnlySpan<NetworkCursor> others) =>
        network.Then(new Minimum(), null, null, others);
}
