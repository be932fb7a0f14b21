using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// y = x + bias with one learnt number for all elements, as in front of the layers of a Fixup network (Zhang, Dauphin and
/// Ma 2019, section 3). Inputs: x, bias (1). Output: y of x's shape.
/// </summary>
/// <param name="InitialShift">The bias before step 1.</param>
public sealed record Shift(double InitialShift = 0) : Op
{
    public override string Kind => "shift";

    public override MomentRule? Moments => new(Forward, static (_, input) => input == 0 ? 1 : double.NaN);

    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs) =>
        [new ParameterSlot("bias", Shape.Of(1), new ConstantInitializer(InitialShift))];

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!double.IsFinite(InitialShift))
        {
            throw scope.BadAttribute("initial_shift", InitialShift, "finite");
        }
        if (scope.Inputs.Length > 0)
        {
            scope.RequireKind(0, ElementKind.Real);
        }
        scope.RequireCount(2);
        scope.RequireShape(1, Shape.Of(1));
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(new Sum<T>(context.Input(1).Span[0]), context.Input(0), context.Output(0), context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Upstream);
        }
        if (scope.Needs(1))
        {
            scope.Contribute(1, scope.Emit(new ShiftBiasGradient(), "bias", scope.Upstream));
        }
    }

    /// <summary>E[(x + b)²] = E[x²] + 2 E[x] E[b] + E[b²], crosswise too, since all samples meet the same b.</summary>
    private static Moments Forward(MomentScope scope)
    {
        (Moments x, Moments bias) = (scope.Inputs[0], scope.Inputs[1]);
        double added = 2 * x.Mean * bias.Mean + bias.SecondMoment;
        return x.With(x.Mean + bias.Mean, x.SecondMoment + added, pair => x.Product(pair) + added);
    }

    private readonly struct Sum<T>(T bias) : IUnaryOperator<T> where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => x + V.Broadcast(bias);
    }
}

/// <summary>dbias = Σ dy. Input: dy. Output: (1).</summary>
public sealed record ShiftBiasGradient : Op
{
    public override string Kind => "shift_bias_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        return [new TensorType(Shape.Of(1))];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        context.Output(0).Span[0] = T.CreateTruncating(Reductions.Sum(context.Input(0), context.Pool));
}

/// <summary>The verb of <see cref="Shift"/>.</summary>
public static class ShiftLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="initialShift">The learnt number before step 1.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor Shift(this NetworkCursor network, double initialShift = 0, string? name = null) => network.Then(new Shift(initialShift), name);
}
