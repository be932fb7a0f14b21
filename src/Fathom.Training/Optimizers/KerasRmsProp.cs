using System.Numerics.Tensors;

namespace Fathom.Training.Optimizers;

/// <summary>
/// RMSprop as in Keras 3: −rate · g / √(v + ε), v the mean squared gradient. ε is within the root, and the rate
/// within the momentum. Tieleman and Hinton 2012.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Rho">Decay of the averages; from 0 to below 1.</param>
/// <param name="Momentum">From 0 to below 1.</param>
/// <param name="Epsilon">Within the root; 0 or more.</param>
/// <param name="Centered">Whether the squared mean is subtracted.</param>
/// <param name="WeightDecay">The parameter shrinks by rate · decay before the change; 0 or more.</param>
public sealed record KerasRmsProp(double LearningRate = 0.001, double Rho = 0.9, double Momentum = 0, double Epsilon = 1e-7, bool Centered = false, double WeightDecay = 0) : Optimizer
{
    public override string Kind => "keras_rmsprop";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 1 + (Centered ? 1 : 0) + (Momentum > 0 ? 1 : 0);

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Span<T> v = scope.State(0);
        scope.AverageSquares(v, scope.Gradient, Rho);
        if (Centered)
        {
            Span<T> mean = scope.State(1);
            UpdateScope<T>.Average(mean, scope.Gradient, Rho);
            RmsProp.Center<T>(v, mean, scope.Scratch);
            v = scope.Scratch;
        }
        TensorPrimitives.Add(v, T.CreateTruncating(Epsilon), scope.Scratch);
        TensorPrimitives.Sqrt(scope.Scratch, scope.Scratch);
        scope.QuotientIntoDelta(scope.Gradient, -scope.LearningRate);
        if (Momentum > 0)
        {
            Span<T> velocity = scope.State(StateCount - 1);
            TensorPrimitives.MultiplyAdd(velocity, T.CreateTruncating(Momentum), scope.Delta, velocity);
            velocity.CopyTo(scope.Delta);
        }
        scope.DecayWeights(WeightDecay);
    }

    public override void Validate()
    {
        base.Validate();
        RequireShare("rho", Rho);
        RequireShare("momentum", Momentum);
        RequireNotNegative("epsilon", Epsilon);
        RequireNotNegative("weight_decay", WeightDecay);
    }
}
