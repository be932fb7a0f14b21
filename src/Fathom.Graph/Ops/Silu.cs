using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>
/// x·σ(x), the sigmoid linear unit, also known as swish with β = 1 (<see cref="Fathom.Graphs.Ops.Swish"/>). Elfwing et al. (2018).
/// </summary>
public sealed record Silu : Activation
{
    private static readonly Swish Swish = new(1);

    public override string Kind => "silu";

    public override bool GradientReadsOutput => false;

    public override ImmutableArray<double> Kinks => [];

    public override double RecommendedWeightGain => double.Sqrt(2);

    public override double Evaluate(double x) => Swish.Evaluate(x);

    public override double Slope(double x) => Swish.Slope(x);

    public override void Run<T>(in KernelContext<T> context) => Swish.Run(context);

    public override void RunGradient<T>(in KernelContext<T> context) => Swish.RunGradient(context);
}

/// <summary>The verb of <see cref="Silu"/>.</summary>
public static class SiluLayer
{
    public static NetworkCursor Silu(this NetworkCursor network, string? name = null) => network.Then(new Silu(), name);
}
