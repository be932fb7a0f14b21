using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Shortens each vector along the last axis to a length below 1 and keeps its direction: y = |x|²/(1 + |x|²)·x/|x|, and 0
/// for 0. Input and output (…, size). Sabour, Frosst and Hinton (2017), equation 1.
/// </summary>
public sealed record Squash : Op
{
    public override string Kind => "squash";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        CapsuleVector.Require(scope, inputs: 1);
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        CapsuleVectors<T>.Run(CapsuleFunction.Squash, context.Input(0), default, context.Output(0), context.InputShape(0)[^1], context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new SquashGradient(), "input", scope.Upstream, scope.Input(0)));
        }
    }
}

/// <summary>
/// With n = |x|: dx = n/(1 + n²)·dy + (1 − n²)/(1 + n²)²·(x·dy)/n·x, and 0 where x is 0. Inputs: dy, x. Output: dx.
/// </summary>
public sealed record SquashGradient : Op
{
    public override string Kind => "squash_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        scope.RequireShape(1, scope.Shape(0));
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        CapsuleVectors<T>.Run(CapsuleFunction.SquashGradient, context.Input(1), context.Input(0), context.Output(0), context.InputShape(0)[^1], context.Pool);
}

/// <summary>The verb of <see cref="Squash"/>.</summary>
public static class SquashLayer
{
    public static NetworkCursor Squash(this NetworkCursor network, string? name = null) => network.Then(new Squash(), name);
}

/// <summary>
/// The length √(Σ x²) of each vector along the last axis: how sure a capsule is that its entity is there. (…, capsules,
/// size) to (…, capsules). Sabour, Frosst and Hinton (2017), section 3. At 0 the gradient is taken as 0.
/// </summary>
public sealed record CapsuleLength : Op
{
    public override string Kind => "capsule_length";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        CapsuleVector.Require(scope, inputs: 1);
        return [new TensorType(new Shape(scope.Shape(0).Dims[..^1]))];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        CapsuleVectors<T>.Run(CapsuleFunction.Length, context.Input(0), default, context.Output(0), context.InputShape(0)[^1], context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new CapsuleLengthGradient(), "input", scope.Upstream, scope.Input(0)));
        }
    }
}

/// <summary>dx = dy·x/|x|, and 0 where x is 0. Inputs: dy (…), x (…, size). Output: dx.</summary>
public sealed record CapsuleLengthGradient : Op
{
    public override string Kind => "capsule_length_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [scope[1]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        CapsuleVectors<T>.Run(CapsuleFunction.LengthGradient, context.Input(1), context.Input(0), context.Output(0), context.InputShape(1)[^1], context.Pool);
}

/// <summary>The verb of <see cref="CapsuleLength"/>.</summary>
public static class CapsuleLengthLayer
{
    public static NetworkCursor CapsuleLength(this NetworkCursor network, string? name = null) => network.Then(new CapsuleLength(), name);
}
