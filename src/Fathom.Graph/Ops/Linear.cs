using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>The identity y = x, where a model names an activation but has none. Output and input share their memory.</summary>
public sealed record Linear : Activation
{
    public override string Kind => "linear";

    public override bool IsView => true;

    public override bool GradientReadsOutput => true;

    public override ImmutableArray<double> Kinks => [];

    public override MomentRule? Moments => new(static scope => scope.Inputs[0], static (_, _) => 1);

    public override double Evaluate(double x) => x;

    public override double Slope(double x) => 1;

    public override void Run<T>(in KernelContext<T> context)
    {
        // A view: there is nothing to do.
    }

    public override void RunGradient<T>(in KernelContext<T> context) => context.Input(0).Span.CopyTo(context.Output(0));

    public override void Differentiate(GradientScope scope) => scope.Contribute(0, scope.Upstream);
}

/// <summary>The verb of <see cref="Linear"/>.</summary>
public static class LinearLayer
{
    public static NetworkCursor Linear(this NetworkCursor network, string? name = null) => network.Then(new Linear(), name);
}
