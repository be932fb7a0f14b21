using System.Numerics.Tensors;
using Fathom.Compute;

namespace Fathom.Training.Optimizers;

/// <summary>
/// RMSprop as in PyTorch: g / (√v + ε), v the mean squared gradient; centered, v is the variance of the gradient.
/// Tieleman and Hinton 2012; Graves 2013.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Alpha">Decay of the averages; from 0 to below 1.</param>
/// <param name="Epsilon">Added to the root; 0 or more.</param>
/// <param name="WeightDecay">Times the parameter, added to the gradient; 0 or more.</param>
/// <param name="Momentum">From 0 to below 1.</param>
/// <param name="Centered">Whether the squared mean is subtracted.</param>
public sealed record RmsProp(double LearningRate = 0.01, double Alpha = 0.99, double Epsilon = 1e-8, double WeightDecay = 0, double Momentum = 0, bool Centered = false) : Optimizer
{
    public override string Kind => "rmsprop";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 1 + (Centered ? 1 : 0) + (Momentum > 0 ? 1 : 0);

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Span<T> g = scope.DecayedGradient(WeightDecay);
        Span<T> v = scope.State(0);
        scope.AverageSquares(v, g, Alpha);
        if (Centered)
        {
            Span<T> mean = scope.State(1);
            UpdateScope<T>.Average(mean, g, Alpha);
            Center(v, mean, scope.Scratch);
            v = scope.Scratch;
        }
        scope.RootIntoScratch(v, 1, Epsilon);
        if (Momentum == 0)
        {
            scope.QuotientIntoDelta(g, -scope.LearningRate);
            return;
        }
        Span<T> velocity = scope.State(StateCount - 1);
        TensorPrimitives.Divide(g, scope.Scratch, scope.Scratch);
        TensorPrimitives.MultiplyAdd(velocity, T.CreateTruncating(Momentum), scope.Scratch, velocity);
        TensorPrimitives.Multiply(velocity, T.CreateTruncating(-scope.LearningRate), scope.Delta);
    }

    public override void Validate()
    {
        base.Validate();
        RequireShare("alpha", Alpha);
        RequireNotNegative("epsilon", Epsilon);
        RequireNotNegative("weight_decay", WeightDecay);
        RequireShare("momentum", Momentum);
    }

    /// <summary>variance = v − mean², but not below 0, where rounding may put it for a gradient that hardly changes.</summary>
    internal static void Center<T>(ReadOnlySpan<T> v, ReadOnlySpan<T> mean, Span<T> variance) where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        TensorPrimitives.Multiply(mean, mean, variance);
        TensorPrimitives.Subtract(v, variance, variance);
        Elementwise.AtLeast(variance, T.Zero, variance);
    }
}
