using System.Numerics.Tensors;

namespace Fathom.Training.Optimizers;

/// <summary>
/// Stochastic gradient descent as in Keras 3: v = momentum · v − rate · g, so a rate that changes does not act on the
/// velocity gathered before. The change is v, with Nesterov momentum · v − rate · g; then the weights decay.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Momentum">From 0 to below 1.</param>
/// <param name="Nesterov">Whether the gradient counts as if taken a step ahead.</param>
/// <param name="WeightDecay">The parameter shrinks by rate · decay before the change; 0 or more.</param>
public sealed record KerasSgd(double LearningRate = 0.01, double Momentum = 0, bool Nesterov = false, double WeightDecay = 0) : Optimizer
{
    public override string Kind => "keras_sgd";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => Momentum == 0 ? 0 : 1;

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Span<T> step = scope.Gradient;
        TensorPrimitives.Multiply(step, T.CreateTruncating(-scope.LearningRate), step);
        if (Momentum == 0)
        {
            step.CopyTo(scope.Delta);
        }
        else
        {
            Span<T> v = scope.State(0);
            T momentum = T.CreateTruncating(Momentum);
            TensorPrimitives.MultiplyAdd(v, momentum, step, v);
            if (Nesterov)
            {
                TensorPrimitives.MultiplyAdd(v, momentum, step, scope.Delta);
            }
            else
            {
                v.CopyTo(scope.Delta);
            }
        }
        scope.DecayWeights(WeightDecay);
    }

    public override void Validate()
    {
        base.Validate();
        RequireShare("momentum", Momentum);
        RequireNotNegative("weight_decay", WeightDecay);
    }
}
