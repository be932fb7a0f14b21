using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Training.Optimizers;

/// <summary>
/// −rate · m̂ / (√v̂ + ε), with m̂ = m/(1 − β1^t) and v̂ = v/(1 − β2^t) from the decayed means of g and g²: Adam,
/// with the bias corrections in front of ε, as in PyTorch. Kingma and Ba 2015, algorithm 1; AMSGrad by Reddi et al.
/// 2018.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Beta1">Decay of the mean gradient; from 0 to below 1.</param>
/// <param name="Beta2">Decay of the mean squared gradient; from 0 to below 1.</param>
/// <param name="Epsilon">Added to the root; 0 or more.</param>
/// <param name="WeightDecay">Times the parameter, added to the gradient; 0 or more.</param>
/// <param name="Amsgrad">Whether to divide by the largest mean square so far.</param>
public sealed record Adam(double LearningRate = 0.001, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-8, double WeightDecay = 0, bool Amsgrad = false) : Optimizer
{
    public override string Kind => "adam";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => Amsgrad ? 3 : 2;

    public override void Update<T>(in UpdateScope<T> scope) =>
        Change(scope, scope.DecayedGradient(WeightDecay), Beta1, Beta2, Epsilon, Amsgrad);

    internal override bool NeedsOnePass => !Amsgrad;

    internal override void UpdateInOnePass<T>(in OnePass<T> piece) =>
        piece.Run(new Rule<T>(Beta1, Beta2, Epsilon, piece.LearningRate, piece.Step, WeightDecay, 0));

    public override void Validate()
    {
        base.Validate();
        RequireShare("beta1", Beta1);
        RequireShare("beta2", Beta2);
        RequireNotNegative("epsilon", Epsilon);
        RequireNotNegative("weight_decay", WeightDecay);
    }

    /// <summary>Delta = −rate · m̂ / (√v̂ + ε). States: m, v and with AMSGrad the largest v.</summary>
    internal static void Change<T>(in UpdateScope<T> scope, ReadOnlySpan<T> g, double beta1, double beta2, double epsilon, bool amsgrad)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Span<T> m = scope.State(0);
        Span<T> v = scope.State(1);
        UpdateScope<T>.Average(m, g, beta1);
        scope.AverageSquares(v, g, beta2);
        if (amsgrad)
        {
            Span<T> largest = scope.State(2);
            Elementwise.Max(largest, v, largest);
            v = largest;
        }
        scope.RootIntoScratch(v, 1 / Math.Sqrt(1 - Math.Pow(beta2, scope.Step)), epsilon);
        scope.QuotientIntoDelta(m, -scope.LearningRate / (1 - Math.Pow(beta1, scope.Step)));
    }

    /// <summary>The same without AMSGrad, for one vector.</summary>
    internal readonly struct Rule<T>(double beta1, double beta2, double epsilon, double rate, long step, double decayOfGradient, double decayOfValue) : IUpdateRule<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private readonly T keep1 = T.CreateTruncating(beta1), add1 = T.CreateTruncating(1 - beta1);
        private readonly T keep2 = T.CreateTruncating(beta2), add2 = T.CreateTruncating(1 - beta2);
        private readonly T rootScale = T.CreateTruncating(1 / Math.Sqrt(1 - Math.Pow(beta2, step)));
        private readonly T epsilon = T.CreateTruncating(epsilon);
        private readonly T scale = T.CreateTruncating(-rate / (1 - Math.Pow(beta1, step)));
        private readonly T gradientDecay = T.CreateTruncating(decayOfGradient);
        private readonly T valueDecay = T.CreateTruncating(-rate * decayOfValue);
        private readonly bool decaysGradient = decayOfGradient != 0, decaysValue = decayOfValue != 0; // 0 times an infinite parameter would be NaN

        public static int States => 2;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Change<V>(V value, V gradient, ref V first, ref V second) where V : struct, ISimd<V, T>
        {
            gradient = decaysGradient ? V.Fma(V.Broadcast(gradientDecay), value, gradient) : gradient;
            first = V.Fma(V.Broadcast(add1), gradient, first * V.Broadcast(keep1));
            second = V.Fma(V.Broadcast(add2) * gradient, gradient, second * V.Broadcast(keep2)); // from the left: g² alone overflows at 2·10¹⁹
            V root = V.Fma(V.Sqrt(second), V.Broadcast(rootScale), V.Broadcast(epsilon));
            V change = first / root * V.Broadcast(scale);
            return decaysValue ? V.Fma(V.Broadcast(valueDecay), value, change) : change;
        }
    }
}
