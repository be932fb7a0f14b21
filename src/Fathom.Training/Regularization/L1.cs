using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Fathom.Compute;
using Fathom.Training.Clipping;

namespace Fathom.Training.Regularization;

/// <summary>Penalty strength · Σ|w|, as in Keras, with the gradient strength · sign(w), which is 0 at 0. Tibshirani 1996.</summary>
/// <param name="Strength">Greater than 0.</param>
/// <param name="Layers">Layers, blocks or single parameters; empty for all layers.</param>
/// <param name="Vectors">Whether biases and gains are included.</param>
public sealed record L1(double Strength = 1e-4, ImmutableArray<string> Layers = default, bool Vectors = false) : Regularizer(Layers, Vectors)
{
    public override string Kind => "l1";

    public override double AddTo<T>(in RegularizerScope<T> scope)
    {
        Elementwise.Zip(new AddSign<T>(T.CreateTruncating(Strength)), scope.Values, scope.Gradient, scope.Gradient, scope.Pool);
        return Strength * GradientNorm.SumOfMagnitudes<T>(scope.Values);
    }

    public override void Validate() => RequirePositive("strength", Strength);

    private readonly struct AddSign<T>(T strength) : IBinaryOperator<T> where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V w, V gradient) where V : struct, ISimd<V, T>
        {
            V up = V.Select(V.GreaterThan(w, V.Zero), V.Broadcast(strength), V.Zero);
            return gradient + V.Select(V.LessThan(w, V.Zero), V.Broadcast(-strength), up);
        }
    }
}
