using System.Numerics.Tensors;
using Fathom.Compute;
using Fathom.Training.Clipping;

namespace Fathom.Training.Optimizers;

/// <summary>
/// <see cref="AdamW"/> whose rate is divided, for each tensor, by max(1, √mean(g² / max(v̂, ε²))): when the gradient
/// outgrows what v̂ has seen, which precedes loss spikes, the step does not. Wortsman et al. 2023, algorithm 2.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Beta1">Decay of the mean gradient; from 0 to below 1.</param>
/// <param name="Beta2">Decay of the mean squared gradient; from 0 to below 1.</param>
/// <param name="Epsilon">Added to the root; greater than 0.</param>
/// <param name="WeightDecay">The parameter shrinks by the divided rate · decay; 0 or more.</param>
public sealed record StableAdamW(double LearningRate = 0.001, double Beta1 = 0.9, double Beta2 = 0.99, double Epsilon = 1e-6, double WeightDecay = 0.01) : Optimizer
{
    public override string Kind => "stable_adamw";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 2;

    public override bool IsTensorwise => true;

    public override TensorSums Gather<T>(in UpdateScope<T> scope)
    {
        Span<T> g = scope.Gradient;
        Span<T> v = scope.State(1);
        UpdateScope<T>.Average(scope.State(0), g, Beta1);
        scope.AverageSquares(v, g, Beta2);
        scope.RootIntoScratch(v, RootFactor(scope.Step), 0);
        Elementwise.AtLeast(scope.Scratch, T.CreateTruncating(Epsilon), scope.Scratch);
        TensorPrimitives.Divide(g, scope.Scratch, scope.Delta);
        return new TensorSums(GradientNorm.SumOfSquares<T>(scope.Delta), 0);
    }

    public override double TensorFactor(in TensorSums sums, int length) => 1 / Math.Max(1, Math.Sqrt(sums.First / length));

    public override void Update<T>(in UpdateScope<T> scope)
    {
        scope.RootIntoScratch(scope.State(1), RootFactor(scope.Step), Epsilon);
        double rate = scope.LearningRate * scope.TensorFactor;
        scope.QuotientIntoDelta(scope.State(0), -rate / (1 - Math.Pow(Beta1, scope.Step)));
        scope.DecayWeights(WeightDecay * scope.TensorFactor);
    }

    public override void Validate()
    {
        base.Validate();
        RequireShare("beta1", Beta1);
        RequireShare("beta2", Beta2);
        Require(Epsilon > 0 && !double.IsInfinity(Epsilon), "epsilon", Epsilon, "greater than 0 and finite");
        RequireNotNegative("weight_decay", WeightDecay);
    }

    private double RootFactor(long step) => 1 / Math.Sqrt(1 - Math.Pow(Beta2, step));
}
