using System.Numerics.Tensors;

namespace Fathom.Training.Optimizers;

/// <summary>g / (√Σg² + ε) as in PyTorch. Duchi et al. 2011.</summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="RateDecay">The rate of step n is divided by 1 + (n − 1) · decay; 0 or more.</param>
/// <param name="WeightDecay">Times the parameter, added to the gradient; 0 or more.</param>
/// <param name="InitialAccumulator">Where Σg² starts; 0 or more.</param>
/// <param name="Epsilon">Added to the root; 0 or more.</param>
public sealed record Adagrad(double LearningRate = 0.01, double RateDecay = 0, double WeightDecay = 0, double InitialAccumulator = 0, double Epsilon = 1e-10) : Optimizer
{
    public override string Kind => "adagrad";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 1;

    public override double InitialState(int state) => InitialAccumulator;

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Span<T> g = scope.DecayedGradient(WeightDecay);
        Span<T> sum = scope.State(0);
        TensorPrimitives.MultiplyAdd(g, g, sum, sum);
        scope.RootIntoScratch(sum, 1, Epsilon);
        scope.QuotientIntoDelta(g, -scope.LearningRate / (1 + (scope.Step - 1) * RateDecay));
    }

    public override void Validate()
    {
        base.Validate();
        RequireNotNegative("rate_decay", RateDecay);
        RequireNotNegative("weight_decay", WeightDecay);
        RequireNotNegative("initial_accumulator", InitialAccumulator);
        RequireNotNegative("epsilon", Epsilon);
    }
}
