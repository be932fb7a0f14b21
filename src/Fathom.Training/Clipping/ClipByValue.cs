using System.Numerics;
using Fathom.Compute;
using Fathom.Training.Execution;

namespace Fathom.Training.Clipping;

/// <summary>Clips each element to [−limit, limit], which may turn the gradient's direction. NaN stays NaN.</summary>
/// <param name="Limit">Greater than 0.</param>
public sealed record ClipByValue(double Limit = 0.5) : GradientClipping
{
    public override string Kind => "value";

    public override void Apply<T>(ParameterStore<T> store, double globalNorm, Span<double> state)
    {
        Elementwise.Map(new Clamp<T>(T.CreateTruncating(Limit)), store.Gradients, store.Gradients, WorkerPool.Single);
    }

    public override void Validate() => Require(Limit > 0, "limit", Limit, "greater than 0");

    private readonly struct Clamp<T>(T limit) : IUnaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => V.Min(V.Max(x, V.Broadcast(-limit)), V.Broadcast(limit));
    }
}
