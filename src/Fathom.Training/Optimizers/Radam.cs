using System.Numerics.Tensors;

namespace Fathom.Training.Optimizers;

/// <summary>
/// Rectified Adam: −rate · m̂ until the mean squared gradient rests on enough steps (ρ above 5), then −rate · r · m̂
/// / (√v̂ + ε) with the rectification r = √((ρ − 4)(ρ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρ)). Liu et al. 2020, algorithm 2.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Beta1">Decay of the mean gradient; from 0 to below 1.</param>
/// <param name="Beta2">Decay of the mean squared gradient; from 0 to below 1.</param>
/// <param name="Epsilon">Added to the root; 0 or more.</param>
/// <param name="WeightDecay">Times the parameter, added to the gradient; 0 or more.</param>
public sealed record Radam(double LearningRate = 0.001, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-8, double WeightDecay = 0) : Optimizer
{
    public override string Kind => "radam";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 2;

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Span<T> g = scope.DecayedGradient(WeightDecay);
        Span<T> m = scope.State(0);
        Span<T> v = scope.State(1);
        UpdateScope<T>.Average(m, g, Beta1);
        scope.AverageSquares(v, g, Beta2);
        double rate = -scope.LearningRate / (1 - Math.Pow(Beta1, scope.Step));
        double power = Math.Pow(Beta2, scope.Step);
        double limit = 2 / (1 - Beta2) - 1;
        double length = limit - 2 * scope.Step * power / (1 - power);
        if (length > 5)
        {
            double rectified = Math.Sqrt((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length));
            scope.RootIntoScratch(v, 1, Epsilon);
            scope.QuotientIntoDelta(m, rate * rectified * Math.Sqrt(1 - power));
        }
        else
        {
            TensorPrimitives.Multiply(m, T.CreateTruncating(rate), scope.Delta);
        }
    }

    public override void Validate()
    {
        base.Validate();
        RequireShare("beta1", Beta1);
        RequireShare("beta2", Beta2);
        RequireNotNegative("epsilon", Epsilon);
        RequireNotNegative("weight_decay", WeightDecay);
    }
}
