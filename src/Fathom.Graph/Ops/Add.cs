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
        double mean = 0, cross = 0, variance = 0, crossVariance = 0;
        foreach (Moments term in scope.Inputs)
        {
            mean += term.Mean;
            variance += term.Variance;
            crossVariance += term.SecondMoment * term.Correlation - term.Mean * term.Mean;
        }
        double second = variance + mean * mean;
        cross = crossVariance + mean * mean;
        return new Moments(mean, second, second > 0 ? cross / second : 1);
    }
}

/// <summary>The verb of <see cref="Add"/>.</summary>
public static class AddLayer
{
    /// <summary>Adds another value of the same shape: a residual connection.</summary>
    public static NetworkCursor Add(this NetworkCursor network, NetworkCursor other, string? name = null) =>
        network.Then(new Add(), name, null, other);
}
