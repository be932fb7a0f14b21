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
    public override double NumberForStep(long step) => MomentumProduct(step, Beta1, MomentumDecay);

    public override void Update<T>(in UpdateScope<T> scope) =>
        Change(scope, scope.DecayedGradient(WeightDecay), Beta1, Beta2, Epsilon, MomentumDecay);

    internal static double MomentumProduct(long step, double beta1, double momentumDecay)
    {
        double product = 1;
        for (long i = 1; i <= step && product > 1e-17; i++)
        {
            product *= Momentum(i, beta1, momentumDecay);
        }
        return product;
    }

    /// <summary>Sets the change from the gradient. States: m and v; the step's number is Π μ.</summary>
    internal static void Change<T>(in UpdateScope<T> scope, ReadOnlySpan<T> g, double beta1, double beta2, double epsilon, double momentumDecay)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        Span<T> m = scope.State(0);
        Span<T> v = scope.State(1);
        UpdateScope<T>.Average(m, g, beta1);
        scope.AverageSquares(v, g, beta2);
        scope.RootIntoScratch(v, 1 / Math.Sqrt(1 - Math.Pow(beta2, scope.Step)), epsilon);
        double product = scope.StepNumber;
        double now = Momentum(scope.Step, beta1, momentumDecay);
        double next = Momentum(scope.Step + 1, beta1, momentumDecay);
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

    private static double Momentum(long step, double beta1, double momentumDecay) => beta1 * (1 - 0.5 * Math.Pow(0.96, step * momentumDecay));
}
