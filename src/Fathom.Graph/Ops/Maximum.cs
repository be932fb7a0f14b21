using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>The largest of two or more tensors of one shape, element by element; equal ones share the gradient.</summary>
public sealed record Maximum : Extremum
{
    public override string Kind => "maximum";

    public override void Run<T>(in KernelContext<T> context) => Fold(default(Pick<T>), context);

    private readonly struct Pick<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V a, V b) where V : struct, ISimd<V, T> => V.Max(a, b);
    }
}

/// <summary>The verb of <see cref="Maximum"/>.</summary>
public static class MaximumLayer
{
    /// <summary>The largest of this value and others of the same shape, element by element.</summary>
    public static NetworkCursor Maximum(this NetworkCursor network, params ReadOnlySpan<NetworkCursor> others) =>
        network.Then(new Maximum(), null, null, others);
}
