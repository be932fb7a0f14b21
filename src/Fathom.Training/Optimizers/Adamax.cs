using System.Numerics.Tensors;
using Fathom.Compute;

namespace Fathom.Training.Optimizers;

/// <summary>Adam with the largest decayed gradient u = max(β2 · u, |g| + ε) in place of the root. Kingma and Ba 2015, section 7.1.</summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Beta1">Decay of the mean gradient; from 0 to below 1.</param>
/// <param name="Beta2">Decay of the largest gradient; from 0 to below 1.</param>
/// <param name="Epsilon">Added to |g|; 0 or more.</param>
/// <param name="WeightDecay">Times the parameter, added to the gradient; 0 or more.</param>
public sealed record Adamax(double LearningRate = 0.002, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-8, double WeightDecay = 0) : Optimizer
{
    public override string Kind => "adamax";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 2;

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Span<T> g = scope.DecayedGradient(WeightDecay);
        Span<T> m = scope.State(0);
        Span<T> largest = scope.State(1);
        UpdateScope<T>.Average(m, g, Beta1);
        TensorPrimitives.Multiply(largest, T.CreateTruncating(Beta2), largest);
        TensorPrimitives.Abs(g, scope.Scratch);
        TensorPrimitives.Add(scope.Scratch, T.CreateTruncating(Epsilon), scope.Scratch);
        Elementwise.Max(largest, scope.Scratch, largest);
        largest.CopyTo(scope.Scratch);
        scope.QuotientIntoDelta(m, -scope.LearningRate / (1 - Math.Pow(Beta1, scope.Step)));
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
