using System.Numerics.Tensors;

namespace Fathom.Training.Optimizers;

/// <summary>
/// Adam with Nesterov momentum, whose momentum μ_t = β1 · (1 − 0.96^(t · decay) / 2) warms up. Dozat 2016, algorithm 2.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Beta1">Decay of the mean gradient; from 0 to below 1.</param>
/// <param name="Beta2">Decay of the mean squared gradient; from 0 to below 1.</param>
/// <param name="Epsilon">Added to the root; 0 or more.</param>
/// <param name="WeightDecay">Times the parameter, added to the gradient; 0 or more.</param>
/// <param name="MomentumDecay">How fast the momentum warms up; 0 or more.</param>
public sealed record Nadam(double LearningRate = 0.002, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-8, double WeightDecay = 0, double MomentumDecay = 0.004) : Optimizer
{
    public override string Kind => "nadam";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 2;

    /// <summary>Π μ up to this step. Below 1e-17, 1 − Π is 1 in any case.</summary>
    public override double NumberForStep(long step)
    {
        double product = 1;
        for (long i = 1; i <= step && product > 1e-17; i++)
        {
            product *= Momentum(i);
        }
        return product;
    }

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Span<T> g = scope.DecayedGradient(WeightDecay);
        Span<T> m = scope.State(0);
        Span<T> v = scope.State(1);
        UpdateScope<T>.Average(m, g, Beta1);
        scope.AverageSquares(v, g, Beta2);
        scope.RootIntoScratch(v, 1 / Math.Sqrt(1 - Math.Pow(Beta2, scope.Step)), Epsilon);
        double product = scope.StepNumber;
        double now = Momentum(scope.Step);
        double next = Momentum(scope.Step + 1);
        TensorPrimitives.Multiply(m, T.CreateTruncating(next / (1 - product * next)), scope.Delta);
        TensorPrimitives.MultiplyAdd(g, T.CreateTruncating((1 - now) / (1 - product)), scope.Delta, scope.Delta);
        scope.QuotientIntoDelta(scope.Delta, -scope.LearningRate);
    }

    public override void Validate()
    {
        base.Validate();
        RequireShare("beta1", Beta1);
        RequireShare("beta2", Beta2);
        RequireNotNegative("epsilon", Epsilon);
        RequireNotNegative("weight_decay", WeightDecay);
        RequireNotNegative("momentum_decay", MomentumDecay);
    }

    private double Momentum(long step) => Beta1 * (1 - 0.5 * Math.Pow(0.96, step * MomentumDecay));
}
