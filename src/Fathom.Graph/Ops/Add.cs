using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>Sum of two or more tensors of one shape: residual connections, and gradients that meet.</summary>
public sealed record Add : Op
{
    public override string Kind => "add";

    public override bool IsPerSample => true;

    /// <summary>The first two, which are read first.</summary>
    public override bool MayOverwrite(int input) => input < 2;

    public override double Work(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) => 10 * inputShapes.Length * Elements(outputShapes[0]);

    /// <summary>
    /// Moments of independent terms add up, crosswise too. Terms that share an ancestor (a residual branch) are
    /// uncorrelated at initialisation as long as one of them passes a layer of zero-mean weights.
    /// </summary>
    public override MomentRule? Moments => new(Sum, static (_, _) => 1);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (scope.Inputs.Length < 1)
        {
            throw scope.Error("1 input or more", "none");
        }
        for (int i = 0; i < scope.Inputs.Length; i++)
        {
            scope.RequireKind(i, ElementKind.Real);
            scope.RequireShape(i, scope.Shape(0));
        }
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        Buffer<T> sum = context.Output(0);
        if (context.Inputs.Length == 1)
        {
            context.Input(0).Span.CopyTo(sum);
            return;
        }
        Elementwise.Zip(default(Plus<T>), context.Input(0), context.Input(1), sum, context.Pool);
        for (int i = 2; i < context.Inputs.Length; i++)
        {
            Elementwise.Zip(default(Plus<T>), sum, context.Input(i), sum, context.Pool);
        }
    }

    public override void Differentiate(GradientScope scope)
    {
        for (int i = 0; i < scope.Node.Inputs.Length; i++)
        {
            if (scope.Needs(i))
            {
                scope.Contribute(i, scope.Upstream);
            }
        }
    }

    private readonly struct Plus<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V a, V b) where V : struct, ISimd<V, T> => a + b;
    }

    internal static Moments Sum(MomentScope scope)
    {
        double mean = scope.Inputs.Sum(term => term.Mean);
        return Fathom.Graphs.Moments.Of(mean, scope.Inputs.Sum(term => term.Variance) + mean * mean, Positions(scope.Inputs),
            pair => scope.Inputs.Sum(term => term.Product(pair) - term.Mean * term.Mean) + mean * mean);
    }

    /// <summary>The positions of a sum: the terms' profiles by their shares of the mean square.</summary>
    internal static PositionMoments? Positions(ReadOnlySpan<Moments> terms)
    {
        PositionMoments? positions = null;
        double total = 0;
        foreach (Moments term in terms)
        {
            total += term.SecondMoment;
            if (term.Positions is { } own)
            {
                positions = positions is null ? own : positions.Mix(own, total > 0 ? 1 - term.SecondMoment / total : 1);
            }
        }
        return positions;
    }
}

/// <summary>The verb of <see cref="Add"/>.</summary>
public static class AddLayer
{
    /// <summary>Adds another value of the same shape: a residual connection.</summary>
    public static NetworkCursor Add(this NetworkCursor network, NetworkCursor other, string? name = null) =>
        network.Then(new Add(), name, null, other);
}
