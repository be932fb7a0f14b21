using System.Numerics.Tensors;
using Fathom.Training.Clipping;

namespace Fathom.Training.Optimizers;

/// <summary>
/// Adam's direction u = m̂ / (√v̂ + ε) + decay · w, scaled for each tensor to the norm of its weights:
/// w −= rate · ‖w‖ / ‖u‖ · u. A tensor that is 0, or whose direction is, is not scaled. You et al. 2020, algorithm 2,
/// with φ(z) = z.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Beta1">Decay of the mean gradient; from 0 to below 1.</param>
/// <param name="Beta2">Decay of the mean squared gradient; from 0 to below 1.</param>
/// <param name="Epsilon">Added to the root; 0 or more.</param>
/// <param name="WeightDecay">Times the parameter, added to the direction; 0 or more.</param>
/// <param name="ExcludeVectors">Whether biases and the gains of norms have neither scaling nor decay.</param>
public sealed record Lamb(double LearningRate = 0.001, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-6, double WeightDecay = 0.01, bool ExcludeVectors = true) : Optimizer
{
    public override string Kind => "lamb";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 2;

    public override bool IsTensorwise => true;

    public override TensorSums Gather<T>(in UpdateScope<T> scope)
    {
        UpdateScope<T>.Average(scope.State(0), scope.Gradient, Beta1);
        scope.AverageSquares(scope.State(1), scope.Gradient, Beta2);
        DirectionIntoDelta(scope);
        return new TensorSums(GradientNorm.SumOfSquares(scope.Values), GradientNorm.SumOfSquares<T>(scope.Delta));
    }

    public override double TensorFactor(in TensorSums sums, int length) =>
        sums.First == 0 || sums.Second == 0 ? 1 : Math.Sqrt(sums.First) / Math.Sqrt(sums.Second);

    public override void Update<T>(in UpdateScope<T> scope)
    {
        DirectionIntoDelta(scope);
        double ratio = IsExcluded(scope) ? 1 : scope.TensorFactor;
        TensorPrimitives.Multiply(scope.Delta, T.CreateTruncating(-scope.LearningRate * ratio), scope.Delta);
    }

    public override void Validate()
    {
        base.Validate();
        RequireShare("beta1", Beta1);
        RequireShare("beta2", Beta2);
        RequireNotNegative("epsilon", Epsilon);
        RequireNotNegative("weight_decay", WeightDecay);
    }

    private bool IsExcluded<T>(in UpdateScope<T> scope) where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T> =>
        ExcludeVectors && scope.IsVector;

    private void DirectionIntoDelta<T>(in UpdateScope<T> scope) where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        scope.RootIntoScratch(scope.State(1), 1 / Math.Sqrt(1 - Math.Pow(Beta2, scope.Step)), Epsilon);
        scope.QuotientIntoDelta(scope.State(0), 1 / (1 - Math.Pow(Beta1, scope.Step)));
        if (WeightDecay != 0 && !IsExcluded(scope))
        {
            TensorPrimitives.MultiplyAdd(scope.Values, T.CreateTruncating(WeightDecay), scope.Delta, scope.Delta);
        }
    }
}
