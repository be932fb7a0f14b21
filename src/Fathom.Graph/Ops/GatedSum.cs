using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// T·H + (1 − T)·x, element by element: a gate T between 0 and 1 decides how much of a layer's output H is let through and
/// how much of its input x is carried past it. Srivastava, Greff and Schmidhuber (2015), equation 3. Inputs: T, H, x, all
/// of one shape.
/// </summary>
public sealed record GatedSum : Op
{
    public override string Kind => "gated_sum";

    /// <summary>Of independent T, H and x; a layer of zero-mean weights makes H uncorrelated with x.</summary>
    public override MomentRule? Moments => new(Forward, Backward)
    {
        PullBack = static (scope, input) => scope.Upstream.Times(FactorOf(scope.Inputs, input)),
    };

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(3);
        for (int i = 0; i < 3; i++)
        {
            scope.RequireKind(i, ElementKind.Real);
            scope.RequireShape(i, scope.Shape(0));
        }
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Zip3(default(Mix<T>), context.Input(0), context.Input(1), context.Input(2), context.Output(0), context.Pool);

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0) || scope.Needs(1) || scope.Needs(2))
        {
            Value gradient = scope.Emit(new GatedSumGradient(), "inputs", scope.Upstream, scope.Input(0), scope.Input(1), scope.Input(2));
            for (int i = 0; i < 3; i++)
            {
                if (scope.Needs(i))
                {
                    scope.Contribute(i, new Value(gradient.Node, i));
                }
            }
        }
    }

    private static Moments Forward(MomentScope scope)
    {
        (Moments gate, Moments h, Moments x) = (scope.Inputs[0], scope.Inputs[1], scope.Inputs[2]);
        double mean = gate.Mean * h.Mean + (1 - gate.Mean) * x.Mean;
        double second = Mixed(gate.SecondMoment, h.SecondMoment, x.SecondMoment);
        return Fathom.Graphs.Moments.Of(mean, second, x.Positions, pair => Mixed(gate.Product(pair), h.Product(pair), x.Product(pair)));

        // E[(T1·H1 + (1 − T1)·x1)(T2·H2 + (1 − T2)·x2)] from E[T1·T2], E[H1·H2] and E[x1·x2].
        double Mixed(double gates, double layers, double inputs) =>
            gates * layers + (1 - 2 * gate.Mean + gates) * inputs + 2 * (gate.Mean - gates) * h.Mean * x.Mean;
    }

    private static double Backward(MomentScope scope, int input) => FactorOf(scope.Inputs, input).SecondMoment;

    /// <summary>Moments of what the gradient is multiplied by: H − x, T or 1 − T.</summary>
    private static Moments FactorOf(Moments[] inputs, int input)
    {
        (Moments gate, Moments h, Moments x) = (inputs[0], inputs[1], inputs[2]);
        return input switch
        {
            0 => h.With(h.Mean - x.Mean, h.SecondMoment + x.SecondMoment - 2 * h.Mean * x.Mean, pair => h.Product(pair) + x.Product(pair) - 2 * h.Mean * x.Mean),
            1 => gate,
            _ => gate.With(1 - gate.Mean, 1 - 2 * gate.Mean + gate.SecondMoment, pair => 1 - 2 * gate.Mean + gate.Product(pair)),
        };
    }

    private readonly struct Mix<T> : ITernaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V gate, V h, V x) where V : struct, ISimd<V, T> => V.Fma(gate, h, (V.Constant(1) - gate) * x);
    }
}

/// <summary>dT = dy·(H − x), dH = dy·T and dx = dy·(1 − T). Inputs: dy, T, H, x. Outputs: dT, dH, dx.</summary>
public sealed record GatedSumGradient : Op
{
    public override string Kind => "gated_sum_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(4);
        return [scope[1], scope[2], scope[3]];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        Elementwise.Zip3(default(OfGate<T>), context.Input(0), context.Input(2), context.Input(3), context.Output(0), context.Pool);
        Elementwise.Zip(default(Product<T>), context.Input(0), context.Input(1), context.Output(1), context.Pool);
        Elementwise.Zip(default(OfCarried<T>), context.Input(0), context.Input(1), context.Output(2), context.Pool);
    }

    private readonly struct OfGate<T> : ITernaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V h, V x) where V : struct, ISimd<V, T> => upstream * (h - x);
    }

    private readonly struct OfCarried<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V gate) where V : struct, ISimd<V, T> => upstream * (V.Constant(1) - gate);
    }
}

/// <summary>The verb of <see cref="GatedSum"/>.</summary>
public static class GatedSumLayer
{
    /// <summary>This value as the gate T between a layer's output and its input.</summary>
    /// <param name="gate">T, between 0 and 1.</param>
    /// <param name="layer">H, let through where T is 1.</param>
    /// <param name="input">x, let through where T is 0.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor GatedSum(this NetworkCursor gate, NetworkCursor layer, NetworkCursor input, string? name = null) =>
        gate.Then(new GatedSum(), name, null, layer, input);
}
