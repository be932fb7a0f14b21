using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Randomized leaky ReLU: x where x &gt; 0, otherwise a·x. In training each such element has a slope a of its own,
/// uniform between two bounds; in evaluation all have their mean. Xu et al. (2015). Input: x, or x and the slopes to
/// take in training in place of random ones (of x's shape). Outputs: y, and the slopes, which are 1 where x &gt; 0.
/// </summary>
/// <param name="Lower">Smallest slope.</param>
/// <param name="Upper">Largest slope, not below the smallest.</param>
public sealed record RRelu(double Lower = 1.0 / 8, double Upper = 1.0 / 3) : Op
{
    public override string Kind => "rrelu";

    /// <summary>What the op is in evaluation.</summary>
    public LeakyRelu InEvaluation => new(MeanSlope);

    private double MeanSlope => (Lower + Upper) / 2;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!(Lower <= Upper && double.IsFinite(Upper - Lower)))
        {
            throw scope.BadAttribute("lower", Lower, FormattableString.Invariant($"at most upper, which is {Upper}"));
        }
        if (scope.Inputs.Length == 2)
        {
            scope.RequireShape(1, scope.Shape(0));
        }
        else
        {
            scope.RequireCount(1);
        }
        scope.RequireKind(0, ElementKind.Real);
        return [scope[0], scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        Buffer<T> slopes = context.Output(1);
        if (!context.Training)
        {
            slopes.Span.Fill(T.CreateTruncating(MeanSlope));
        }
        else if (context.Inputs.Length == 2)
        {
            context.Input(1).Span.CopyTo(slopes);
        }
        else
        {
            RandomFill.Uniform(context.Random, T.CreateTruncating(Lower), T.CreateTruncating(Upper), slopes);
        }
        Elementwise.Zip(default(OneAboveZero<T>), context.Input(0), slopes, slopes, context.Pool);
        Elementwise.Zip(default(Product<T>), context.Input(0), slopes, context.Output(0), context.Pool);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new Multiply(), "input", scope.Upstream, scope.Output(1)));
        }
    }

    private readonly struct OneAboveZero<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x, V slope) where V : struct, ISimd<V, T> => V.Select(V.GreaterThan(x, V.Zero), V.Constant(1), slope);
    }
}

/// <summary>The verb of <see cref="RRelu"/>.</summary>
public static class RReluLayer
{
    public static NetworkCursor RRelu(this NetworkCursor network, double lower = 1.0 / 8, double upper = 1.0 / 3, string? name = null) =>
        network.Then(new RRelu(lower, upper), name);
}
