using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// The largest or the smallest of several tensors of one shape, element by element. Those that share the extreme value share
/// the gradient in equal parts, as in PyTorch; a NaN goes through and gets none.
/// </summary>
public abstract record Extremum : Op
{
    public override ImmutableArray<TensorType> Infer(ShapeScope scope) => new Add().Infer(scope);

    public override void Differentiate(GradientScope scope)
    {
        if (!scope.Node.Inputs.Select((_, i) => scope.Needs(i)).Contains(true))
        {
            return;
        }
        Value gradient = scope.Emit(new ExtremumGradient(), "inputs", [scope.Upstream, scope.Output(0), .. scope.Node.Inputs]);
        for (int i = 0; i < scope.Node.Inputs.Length; i++)
        {
            if (scope.Needs(i))
            {
                scope.Contribute(i, new Value(gradient.Node, i));
            }
        }
    }

    /// <summary>Takes the inputs in one after the other.</summary>
    private protected static void Fold<T, TOp>(TOp op, in KernelContext<T> context) where T : unmanaged, IBinaryFloatingPointIeee754<T> where TOp : struct, IBinaryOperator<T>
    {
        context.Input(0).Span.CopyTo(context.Output(0));
        for (int i = 1; i < context.Inputs.Length; i++)
        {
            Elementwise.Zip(op, context.Output(0), context.Input(i), context.Output(0), context.Pool);
        }
    }
}

/// <summary>dx of input i = dy/k where input i is y, and 0 elsewhere; k is how many inputs are. Inputs: dy, y, the inputs. Outputs: dx of each.</summary>
public sealed record ExtremumGradient : Op
{
    public override string Kind => "extremum_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireShape(1, scope.Shape(0));
        TensorType[] types = scope.Inputs[2..].ToArray();
        return [.. types];
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) =>
        inputShapes[0].Aggregate(1, (product, extent) => product * extent);

    public override void Run<T>(in KernelContext<T> context)
    {
        (Buffer<T> upstream, Buffer<T> y, Buffer<T> share) = (context.Input(0), context.Input(1), context.Scratch.Slice(0, context.Input(1).Length));
        share.Span.Clear();
        for (int i = 2; i < context.Inputs.Length; i++)
        {
            Elementwise.Zip3(default(Counted<T>), context.Input(i), y, share, share, context.Pool);
        }
        Elementwise.Zip(default(Quotient<T>), upstream, share, share, context.Pool);
        for (int i = 2; i < context.Inputs.Length; i++)
        {
            Elementwise.Zip3(default(WhereEqual<T>), context.Input(i), y, share, context.Output(i - 2), context.Pool);
        }
    }

    private readonly struct Counted<T> : ITernaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x, V y, V count) where V : struct, ISimd<V, T> => count + V.Select(V.Equal(x, y), V.Constant(1), V.Zero);
    }

    private readonly struct Quotient<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V a, V b) where V : struct, ISimd<V, T> => a / b;
    }

    private readonly struct WhereEqual<T> : ITernaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x, V y, V share) where V : struct, ISimd<V, T> => V.Select(V.Equal(x, y), share, V.Zero);
    }
}
