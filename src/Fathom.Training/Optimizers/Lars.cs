using System.Numerics.Tensors;
using Fathom.Training.Clipping;

namespace Fathom.Training.Optimizers;

/// <summary>
/// Momentum whose rate is, for each tensor, multiplied by the trust ratio η·‖w‖ / (‖g‖ + decay·‖w‖), so that no layer's
/// step is large against its weights; v = momentum · v + rate · ratio · (g + decay · w), w −= v. A tensor that is 0, or
/// whose gradient is, has the ratio 1. You et al. 2017, algorithm 1.
/// </summary>
/// <param name="LearningRate">Greater than 0; far larger than with SGD.</param>
/// <param name="Momentum">From 0 to below 1.</param>
/// <param name="WeightDecay">Times the parameter, added to the gradient; 0 or more.</param>
/// <param name="Trust">η, how much of its norm a tensor may move at a rate of 1; greater than 0.</param>
/// <param name="ExcludeVectors">Whether biases and the gains of norms have neither ratio nor decay.</param>
public sealed record Lars(double LearningRate = 1, double Momentum = 0.9, double WeightDecay = 5e-4, double Trust = 0.001, bool ExcludeVectors = true) : Optimizer
{
    public override string Kind => "lars";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 1;

    public override bool IsTensorwise => true;

    public override TensorSums Gather<T>(in UpdateScope<T> scope) =>
        new(GradientNorm.SumOfSquares(scope.Values), GradientNorm.SumOfSquares<T>(scope.Gradient));

    public override double TensorFactor(in TensorSums sums, int length)
    {
        (double weight, double gradient) = (Math.Sqrt(sums.First), Math.Sqrt(sums.Second));
        return weight == 0 || gradient == 0 ? 1 : Trust * weight / (gradient + WeightDecay * weight);
    }

    public override void Update<T>(in UpdateScope<T> scope)
    {
        bool excluded = ExcludeVectors && scope.IsVector;
        Span<T> g = scope.DecayedGradient(excluded ? 0 : WeightDecay);
        Span<T> v = scope.State(0);
        double rate = scope.LearningRate * (excluded ? 1 : scope.TensorFactor);
        TensorPrimitives.Multiply(v, T.CreateTruncating(Momentum), v);
        TensorPrimitives.MultiplyAdd(g, T.CreateTruncating(rate), v, v);
        TensorPrimitives.Negate(v, scope.Delta);
    }

    public override void Validate()
    {
        base.Validate();
        RequireShare("momentum", Momentum);
        RequireNotNegative("weight_decay", WeightDecay);
        Require(Trust > 0 && !double.IsInfinity(Trust), "trust", Trust, "greater than 0 and finite");
    }
}
