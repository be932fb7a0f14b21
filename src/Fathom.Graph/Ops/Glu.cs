using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Gated linear unit: splits an axis into halves a and b and gives a·σ(b). Dauphin et al. (2017).
/// </summary>
/// <param name="Axis">The axis to split, of an even size; negative from the end.</param>
public sealed record Glu(int Axis = -1) : Op
{
    public override string Kind => "glu";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope) => Halves.Infer(scope, Axis);

    public override void Run<T>(in KernelContext<T> context) => Halves.Forward<T, Gate<T>>(default, context, Axis);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new GluGradient(Axis), "input", scope.Upstream, scope.Input(0)));
        }
    }

    private readonly struct Gate<T> : ITernaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V a, V b, V unused) where V : struct, ISimd<V, T> => a * SimdMath.Sigmoid<V, T>(b);
    }
}

/// <summary>da = dy·σ(b), db = dy·a·σ(b)(1 − σ(b)). Inputs: dy, x = (a, b). Output: dx.</summary>
public sealed record GluGradient(int Axis) : Op
{
    public override string Kind => "glu_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [scope[1]];
    }

    public override void Run<T>(in KernelContext<T> context) => Halves.Backward<T, First<T>, Second<T>>(default, default, context, Axis);

    private readonly struct First<T> : ITernaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V a, V b) where V : struct, ISimd<V, T> => upstream * SimdMath.Sigmoid<V, T>(b);
    }

    private readonly struct Second<T> : ITernaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V a, V b) where V : struct, ISimd<V, T>
        {
            V gate = SimdMath.Sigmoid<V, T>(b);
            return upstream * (a * (gate * (V.Constant(1) - gate)));
        }
    }
}

/// <summary>
/// Gated unit with a swish: splits an axis into halves a and b and gives a·σ(a)·b. Shazeer (2020), GLU variants improve
/// transformer.
/// </summary>
/// <param name="Axis">The axis to split, of an even size; negative from the end.</param>
public sealed record SwiGlu(int Axis = -1) : Op
{
    public override string Kind => "swiglu";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope) => Halves.Infer(scope, Axis);

    public override void Run<T>(in KernelContext<T> context) => Halves.Forward<T, Gate<T>>(default, context, Axis);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new SwiGluGradient(Axis), "input", scope.Upstream, scope.Input(0)));
        }
    }

    private readonly struct Gate<T> : ITernaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V a, V b, V unused) where V : struct, ISimd<V, T> => new Swish.Forward<T>(T.One).Invoke(a) * b;
    }
}

/// <summary>da = dy·b·swish'(a), db = dy·swish(a). Inputs: dy, x = (a, b). Output: dx.</summary>
public sealed record SwiGluGradient(int Axis) : Op
{
    public override string Kind => "swiglu_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [scope[1]];
    }

    public override void Run<T>(in KernelContext<T> context) => Halves.Backward<T, First<T>, Second<T>>(default, default, context, Axis);

    private readonly struct First<T> : ITernaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V a, V b) where V : struct, ISimd<V, T> => new Swish.Backward<T>(T.One).Invoke(upstream * b, a);
    }

    private readonly struct Second<T> : ITernaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V a, V b) where V : struct, ISimd<V, T> => upstream * new Swish.Forward<T>(T.One).Invoke(a);
    }
}

/// <summary>The verb of <see cref="Glu"/>.</summary>
public static class GluLayer
{
    public static NetworkCursor Glu(this NetworkCursor network, int axis = -1, string? name = null) => network.Then(new Glu(axis), name);
}

/// <summary>The verb of <see cref="SwiGlu"/>.</summary>
public static class SwiGluLayer
{
    public static NetworkCursor SwiGlu(this NetworkCursor network, int axis = -1, string? name = null) => network.Then(new SwiGlu(axis), name);
}

/// <summary>What the gated units share: an axis of 2h becomes one of h, and both halves of a slice are contiguous.</summary>
internal static class Halves
{
    public static ImmutableArray<TensorType> Infer(ShapeScope scope, int axis)
    {
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        int at = AxisSplit.Resolve(scope, "axis", axis);
        Dim whole = scope.Shape(0)[at];
        if (whole.Size % 2 != 0)
        {
            throw scope.Error(FormattableString.Invariant($"an even size on axis {at}, which is split into halves"), $"shape {scope.Shape(0)}");
        }
        return [new TensorType(new Shape(scope.Shape(0).Dims.SetItem(at, whole with { Size = whole.Size / 2 })))];
    }

    public static void Forward<T, TOp>(TOp op, in KernelContext<T> context, int axis)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> where TOp : struct, ITernaryOperator<T>
    {
        AxisSplit split = AxisSplit.Of(context.OutputShape(0), axis);
        int half = split.Length * split.Inner;
        Slices<T> a = new(context.Input(0), 0, 2 * half);
        Slices<T> b = new(context.Input(0), half, 2 * half);
        SlicedMap<T, TOp>.Run(op, a, b, a, new Slices<T>(context.Output(0), 0, half), split.Outer, half, context.Pool);
    }

    public static void Backward<T, TFirst, TSecond>(TFirst first, TSecond second, in KernelContext<T> context, int axis)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> where TFirst : struct, ITernaryOperator<T> where TSecond : struct, ITernaryOperator<T>
    {
        AxisSplit split = AxisSplit.Of(context.InputShape(0), axis);
        int half = split.Length * split.Inner;
        Slices<T> upstream = new(context.Input(0), 0, half);
        Slices<T> a = new(context.Input(1), 0, 2 * half);
        Slices<T> b = new(context.Input(1), half, 2 * half);
        SlicedMap<T, TFirst>.Run(first, upstream, a, b, new Slices<T>(context.Output(0), 0, 2 * half), split.Outer, half, context.Pool);
        SlicedMap<T, TSecond>.Run(second, upstream, a, b, new Slices<T>(context.Output(0), half, 2 * half), split.Outer, half, context.Pool);
    }
}
