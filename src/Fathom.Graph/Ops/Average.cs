using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>Mean of two or more tensors of one shape, element by element.</summary>
public sealed record Average : Op
{
    private static readonly Add Sum = new();

    public override string Kind => "average";

    /// <summary>Of independent terms; see <see cref="Add"/>.</summary>
    public override MomentRule? Moments => new(Forward, static (scope, _) => 1.0 / ((double)scope.Inputs.Length * scope.Inputs.Length));

    public override ImmutableArray<TensorType> Infer(ShapeScope scope) => Sum.Infer(scope);

    public override void Run<T>(in KernelContext<T> context)
    {
        Sum.Run(context);
        Elementwise.Map(new Multiple<T>(T.One / T.CreateTruncating(context.Inputs.Length)), context.Output(0), context.Output(0), context.Pool);
    }

    public override void Differentiate(GradientScope scope)
    {
        Value share = scope.Emit(new Rescaling(1.0 / scope.Node.Inputs.Length), "share", scope.Upstream);
        for (int i = 0; i < scope.Node.Inputs.Length; i++)
        {
            if (scope.Needs(i))
            {
                scope.Contribute(i, share);
            }
        }
    }

    private static Moments Forward(MomentScope scope)
    {
        Moments sum = Add.Sum(scope);
        double count = scope.Inputs.Length;
        return sum with { Mean = sum.Mean / count, SecondMoment = sum.SecondMoment / (count * count) };
    }
}

/// <summary>The verb of <see cref="Average"/>.</summary>
public static class AverageLayer
{
    /// <summary>The mean of this value and others of the same shape.</summary>
    public static NetworkCursor Average(this NetworkCursor network, params ReadOnlySpan<NetworkCursor> others) =>
        network.Then(new Average(), null, null, others);
}
