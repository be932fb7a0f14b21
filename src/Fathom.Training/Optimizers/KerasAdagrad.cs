using System.Numerics.Tensors;

namespace Fathom.Training.Optimizers;

/// <summary>Adagrad as in Keras 3: ε is within the root, and Σg² starts above 0.</summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="InitialAccumulator">Where Σg² starts; 0 or more.</param>
/// <param name="Epsilon">Within the root; 0 or more.</param>
/// <param name="WeightDecay">The parameter shrinks by rate · decay before the change; 0 or more.</param>
public sealed record KerasAdagrad(double LearningRate = 0.001, double InitialAccumulator = 0.1, double Epsilon = 1e-7, double WeightDecay = 0) : Optimizer
{
    public override string Kind => "keras_adagrad";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 1;

    public override double InitialState(int state) => InitialAccumulator;

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Span<T> sum = scope.State(0);
        TensorPrimitives.MultiplyAdd(scope.Gradient, scope.Gradient, sum, sum);
        TensorPrimitives.Add(sum, T.CreateTruncating(Epsilon), scope.Scratch);
        TensorPrimitives.Sqrt(scope.Scratch, scope.Scratch);
        scope.QuotientIntoDelta(scope.Gradient, -scope.LearningRate);
        scope.DecayWeights(WeightDecay);
    }

    public override void Validate()
    {
        base.Validate();
        RequireNotNegative("initial_accumulator", InitialAccumulator);
        RequireNotNegative("epsilon", Epsilon);
        RequireNotNegative("weight_decay", WeightDecay);
    }
}
