using System.Numerics.Tensors;
using Fathom.Compute;

namespace Fathom.Training.Optimizers;

/// <summary>
/// Adamax as in Keras 3: u = max(β2 · u, |g|), and ε is added where u divides, not within the maximum as in
/// <see cref="Adamax"/>. Kingma and Ba 2015, section 7.1.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Beta1">Decay of the mean gradient; from 0 to below 1.</param>
/// <param name="Beta2">Decay of the largest gradient; from 0 to below 1.</param>
/// <param name="Epsilon">Added to u; 0 or more.</param>
/// <param name="WeightDecay">The parameter shrinks by rate · decay before the change; 0 or more.</param>
public sealed record KerasAdamax(double LearningRate = 0.001, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-7, double WeightDecay = 0) : Optimizer
{
    public override string Kind => "keras_adamax";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 2;

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Span<T> m = scope.State(0);
        Span<T> largest = scope.State(1);
        UpdateScope<T>.Average(m, scope.Gradient, Beta1);
        TensorPrimitives.Multiply(largest, T.CreateTruncating(Beta2), largest);
        TensorPrimitives.Abs(scope.Gradient, scope.Scratch);
        Elementwise.Max(largest, scope.Scratch, largest);
        TensorPrimitives.Add(largest, T.CreateTruncating(Epsilon), scope.Scratch);
        scope.QuotientIntoDelta(m, -scope.LearningRate / (1 - Math.Pow(Beta1, scope.Step)));
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
}
