using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Capsules with routing by agreement: each input capsule i casts a vote û_ij = W_ij·u_i for each output capsule j, and
/// the votes are averaged with weights that favour those which agree. With b = 0 at first, a number of times: c_i =
/// softmax_j(b_ij), s_j = Σ_i c_ij·û_ij, v_j = squash(s_j), b_ij += û_ij·v_j. The gradient runs back through all of it.
/// Sabour, Frosst and Hinton (2017), equations 1 to 3 and procedure 1.
/// Input (N, inputs, input size), weight (capsules, inputs, size, input size). Outputs: v (N, capsules, size), and the
/// votes û (N, inputs, capsules, size) for the gradient.
/// </summary>
/// <param name="Capsules">Output capsules, such as one for each class.</param>
/// <param name="Size">Elements of an output capsule's vector.</param>
/// <param name="Routings">Rounds of routing, at most 1000; 1 averages all votes alike.</param>
public sealed record Capsule(int Capsules, int Size, int Routings = 3) : Op
{
    /// <summary>The paper needs 3 rounds; each costs as much again, and memory for the way back.</summary>
    private const int MostRoutings = 1000;

    public override string Kind => "capsule";

    /// <summary>The standard deviation of the weights is 0.1, since a fan-in says little where routing chooses the votes.</summary>
    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs) =>
        Capsules >= 1 && Size >= 1 && IsCapsules(dataInputs[0].Shape)
            ? [new("weight", Shape.Of(Capsules, dataInputs[0].Shape[1], Size, dataInputs[0].Shape[2]), new NormalInitializer(0, 0.1))]
            : [];

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        RequirePositive(scope, "capsules", Capsules);
        RequirePositive(scope, "size", Size);
        RequirePositive(scope, "routings", Routings);
        if (Routings > MostRoutings)
        {
            throw scope.BadAttribute("routings", Routings, FormattableString.Invariant($"1 to {MostRoutings}"));
        }
        if (scope.Inputs.Length > 0)
        {
            scope.RequireKind(0, ElementKind.Real);
            if (!IsCapsules(scope.Shape(0)))
            {
                throw scope.Error("input capsules (N, capsules, size), such as a dense layer reshaped", $"shape {scope.Shape(0)}");
            }
        }
        scope.RequireCount(2);
        Shape x = scope.Shape(0);
        scope.RequireShape(1, Shape.Of(Capsules, x[1], Size, x[2]));
        return [new TensorType(Shape.Of(x[0], Capsules, Size)), new TensorType(Shape.Of(x[0], x[1], Capsules, Size))];
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) =>
        Math.Max(CapsuleVotes<float>.Scratch(inputShapes[1]), CapsuleRouting<float>.ForwardScratch(outputShapes[1]));

    public override void Run<T>(in KernelContext<T> context)
    {
        CapsuleVotes<T>.Forward(context.Input(0), context.Input(1), context.InputShape(1), context.Output(1), context.Scratch, context.Pool);
        CapsuleRouting<T>.Forward(context.Output(1), context.OutputShape(1), Routings, context.Output(0), context.Scratch, context.Pool);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (!scope.Needs(0) && !scope.Needs(1))
        {
            return;
        }
        Value votes = scope.Emit(new CapsuleRoutingGradient(Routings), "votes", scope.Upstream, scope.Output(1));
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new CapsuleInputGradient(), "input", votes, scope.Input(1)));
        }
        if (scope.Needs(1))
        {
            scope.Contribute(1, scope.Emit(new CapsuleWeightGradient(), "weight", votes, scope.Input(0)));
        }
    }

    private static bool IsCapsules(Shape x) => x.Rank == 3 && !x[1].PerSample && !x[2].PerSample && x[1].Size > 0 && x[2].Size > 0;

    private static void RequirePositive(ShapeScope scope, string attribute, int value)
    {
        if (value < 1)
        {
            throw scope.BadAttribute(attribute, value, "1 or more");
        }
    }
}

/// <summary>The gradient of the votes. Inputs: dv (N, capsules, size), û (N, inputs, capsules, size). Output: dû.</summary>
public sealed record CapsuleRoutingGradient(int Routings) : Op
{
    public override string Kind => "capsule_routing_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [scope[1]];
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) =>
        CapsuleRouting<float>.BackwardScratch(inputShapes[1], Routings);

    public override void Run<T>(in KernelContext<T> context) =>
        CapsuleRouting<T>.Backward(context.Input(0), context.Input(1), context.InputShape(1), Routings, context.Output(0), context.Scratch, context.Pool);
}

/// <summary>du_i = Σ_j W_ijᵀ·dû_ij. Inputs: dû (N, inputs, capsules, size), weight. Output: du (N, inputs, input size).</summary>
public sealed record CapsuleInputGradient : Op
{
    public override string Kind => "capsule_input_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [new TensorType(Shape.Of(scope.Shape(0)[0], scope.Shape(0)[1], scope.Shape(1)[3]))];
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) =>
        CapsuleVotes<float>.Scratch(inputShapes[1]);

    public override void Run<T>(in KernelContext<T> context) =>
        CapsuleVotes<T>.InputGradient(context.Input(0), context.Input(1), context.InputShape(1), context.Output(0), context.Scratch, context.Pool);
}

/// <summary>dW_ij = Σ_n dû_nij·u_niᵀ. Inputs: dû (N, inputs, capsules, size), u (N, inputs, input size). Output: dW.</summary>
public sealed record CapsuleWeightGradient : Op
{
    public override string Kind => "capsule_weight_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        (Shape votes, Shape x) = (scope.Shape(0), scope.Shape(1));
        return [new TensorType(Shape.Of(votes[2], votes[1], votes[3], x[2]))];
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) =>
        CapsuleVotes<float>.Scratch(outputShapes[0]);

    public override void Run<T>(in KernelContext<T> context) =>
        CapsuleVotes<T>.WeightGradient(context.Input(0), context.Input(1), context.OutputShape(0), context.Output(0), context.Scratch, context.Pool);
}

/// <summary>The verb of <see cref="Capsule"/>.</summary>
public static class CapsuleLayer
{
    /// <param name="network">Where to go on: capsules (N, inputs, input size), such as <c>.Dense(256).Reshape(32, 8).Squash()</c>.</param>
    /// <param name="capsules">Output capsules.</param>
    /// <param name="size">Elements of an output capsule's vector.</param>
    /// <param name="routings">Rounds of routing.</param>
    /// <param name="weight">Weight initializer; null for normal with deviation 0.1.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor Capsule(this NetworkCursor network, int capsules, int size, int routings = 3, Initializer? weight = null, string? name = null) =>
        network.Then(new Capsule(capsules, size, routings), name, weight is null ? null : new Dictionary<string, Initializer> { ["weight"] = weight });
}
