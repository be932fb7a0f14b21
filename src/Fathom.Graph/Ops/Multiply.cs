using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>Product of two tensors of one shape, element by element: gates and masks.</summary>
public sealed record Multiply : Op
{
    public override string Kind => "multiply";

    public override bool IsPerSample => true;

    public override bool MayOverwrite(int input) => true;

    public override double Work(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) => 20 * Elements(outputShapes[0]);

    /// <summary>Moments of independent factors multiply.</summary>
    public override MomentRule? Moments => new(
        static scope => Fathom.Graphs.Moments.Of(
            scope.Inputs[0].Mean * scope.Inputs[1].Mean,
            scope.Inputs[0].SecondMoment * scope.Inputs[1].SecondMoment,
            scope.Inputs[0].Positions ?? scope.Inputs[1].Positions,
            pair => scope.Inputs[0].Product(pair) * scope.Inputs[1].Product(pair)),
        static (scope, input) => scope.Inputs[1 - input].SecondMoment)
    {
        // The other factor differs between samples and positions, and the gradient with it.
        PullBack = static (scope, input) => scope.Upstream.Times(scope.Inputs[1 - input]),
    };

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        scope.RequireKind(0, ElementKind.Real);
        scope.RequireKind(1, ElementKind.Real);
        scope.RequireShape(1, scope.Shape(0));
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Zip(default(Product<T>), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        for (int i = 0; i < 2; i++)
        {
            if (scope.Needs(i))
            {
                scope.Contribute(i, scope.Emit(new Multiply(), i == 0 ? "left" : "right", scope.Upstream, scope.Input(1 - i)));
            }
        }
    }
}

/// <summary>The verb of <see cref="Multiply"/>.</summary>
public static class MultiplyLayer
{
    /// <summary>Multiplies by another value of the same shape.</summary>
    public static NetworkCursor Multiply(this NetworkCursor network, NetworkCursor other, string? name = null) =>
        network.Then(new Multiply(), name, null, other);
}

/// <summary>a·b.</summary>
internal readonly struct Product<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b) where V : struct, ISimd<V, T> => a * b;
}
