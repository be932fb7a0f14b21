using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// min(max(x, <paramref name="Min"/>), <paramref name="Max"/>). At both bounds the slope is 0. Collobert (2004),
/// Large scale machine learning.
/// </summary>
/// <param name="Min">Lower bound.</param>
/// <param name="Max">Upper bound, above the lower one.</param>
public sealed record HardTanh(double Min = -1, double Max = 1) : Activation
{
    public override string Kind => "hard_tanh";

    /// <summary>The bounds themselves, where the slope is 0.</summary>
    public override SaturationRegion? Saturation => new(Min, Max);

    public override bool GradientReadsOutput => true;

    public override ImmutableArray<double> Kinks => [Min, Max];

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!(Min < Max))
        {
            throw scope.BadAttribute("min", Min, FormattableString.Invariant($"below max, which is {Max}"));
        }
        return base.Infer(scope);
    }

    public override double Evaluate(double x) => Math.Clamp(x, Min, Max);

    public override double Slope(double x) => x <= Min || x >= Max ? 0 : 1;

    public override void Run<T>(in KernelContext<T> context) =>
        Elementwise.Map(new Forward<T>(T.CreateTruncating(Min), T.CreateTruncating(Max)), context.Input(0), context.Output(0), context.Pool);

    public override void RunGradient<T>(in KernelContext<T> context) =>
        Elementwise.Zip(new Backward<T>(T.CreateTruncating(Min), T.CreateTruncating(Max)), context.Input(0), context.Input(1), context.Output(0), context.Pool);

    private readonly struct Forward<T>(T min, T max) : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => V.Min(V.Max(x, V.Broadcast(min)), V.Broadcast(max));
    }

    private readonly struct Backward<T>(T min, T max) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V upstream, V y) where V : struct, ISimd<V, T>
        {
            V outside = V.LessThanOrEqual(y, V.Broadcast(min)) | V.GreaterThanOrEqual(y, V.Broadcast(max));
            return V.Select(outside, V.Zero, upstream);
        }
    }
}

/// <summary>The verb of <see cref="HardTanh"/>.</summary>
public static class HardTanhLayer
{
    public static NetworkCursor HardTanh(this NetworkCursor network, double min = -1, double max = 1, string? name = null) => network.Then(new HardTanh(min, max), name);
}
