using Fathom.Compute;

namespace Fathom.Training.Optimizers;

/// <summary>
/// Adam as in Keras 3: −rate · √(1 − β2^t)/(1 − β1^t) · m / (√v + ε). The bias corrections are in the rate, so ε
/// weighs more in the first steps than in <see cref="Adam"/>. Kingma and Ba 2015, end of section 2. Its weight decay
/// is that of <see cref="AdamW"/>.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Beta1">Decay of the mean gradient; from 0 to below 1.</param>
/// <param name="Beta2">Decay of the mean squared gradient; from 0 to below 1.</param>
/// <param name="Epsilon">Added to the root; 0 or more.</param>
/// <param name="WeightDecay">The parameter shrinks by rate · decay before the change; 0 or more.</param>
/// <param name="Amsgrad">Whether to divide by the largest mean square so far.</param>
public sealed record KerasAdam(double LearningRate = 0.001, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-7, double WeightDecay = 0, bool Amsgrad = false) : Optimizer
{
    public override string Kind => "keras_adam";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => Amsgrad ? 3 : 2;

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Change(scope, Beta1, Beta2, Epsilon, Amsgrad);
        scope.DecayWeights(WeightDecay);
    }

    public override void Validate()
    {
        base.Validate();
        RequireShare("beta1", Beta1);
        RequireShare("beta2", Beta2);
        RequireNotNegative("epsilon", Epsilon);
        RequireNotNegative("weight_decay", WeightDecay);
    }

    /// <summary>Delta = −rate · √(1 − β2^t) / (1 − β1^t) · m / (√v + ε). States: m, v and with AMSGrad the largest v.</summary>
    internal static void Change<T>(in UpdateScope<T> scope, double beta1, double beta2, double epsilon, bool amsgrad)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        Span<T> m = scope.State(0);
        Span<T> v = scope.State(1);
        UpdateScope<T>.Average(m, scope.Gradient, beta1);
        scope.AverageSquares(v, scope.Gradient, beta2);
        if (amsgrad)
        {
            Span<T> largest = scope.State(2);
            Elementwise.Max(largest, v, largest);
            v = largest;
        }
        scope.RootIntoScratch(v, 1, epsilon);
        double correction = Math.Sqrt(1 - Math.Pow(beta2, scope.Step)) / (1 - Math.Pow(beta1, scope.Step));
        scope.QuotientIntoDelta(m, -scope.LearningRate * correction);
    }
}
