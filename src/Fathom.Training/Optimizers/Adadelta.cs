using System.Numerics.Tensors;

namespace Fathom.Training.Optimizers;

/// <summary>g · √(mean squared change + ε) / √(mean squared gradient + ε). Zeiler 2012, algorithm 1.</summary>
/// <param name="LearningRate">Factor on the change; greater than 0.</param>
/// <param name="Rho">Decay of both averages; from 0 to below 1.</param>
/// <param name="Epsilon">Within both roots; greater than 0, or nothing ever moves.</param>
/// <param name="WeightDecay">Times the parameter, added to the gradient; 0 or more.</param>
public sealed record Adadelta(double LearningRate = 1, double Rho = 0.9, double Epsilon = 1e-6, double WeightDecay = 0) : Optimizer
{
    public override string Kind => "adadelta";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 2;

    public override void Update<T>(in UpdateScope<T> scope) => Change(scope, scope.DecayedGradient(WeightDecay), Rho, Epsilon);

    public override void Validate()
    {
        base.Validate();
        RequireShare("rho", Rho);
        Require(Epsilon > 0 && !double.IsInfinity(Epsilon), "epsilon", Epsilon, "greater than 0 and finite");
        RequireNotNegative("weight_decay", WeightDecay);
    }

    /// <summary>Sets the change from the gradient. States: mean squared gradient, mean squared change.</summary>
    internal static void Change<T>(in UpdateScope<T> scope, ReadOnlySpan<T> g, double rho, double smallest)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        Span<T> squares = scope.State(0);
        Span<T> changes = scope.State(1);
        Span<T> delta = scope.Delta;
        T epsilon = T.CreateTruncating(smallest);
        scope.AverageSquares(squares, g, rho);
        TensorPrimitives.Add(changes, epsilon, delta);
        TensorPrimitives.Sqrt(delta, delta);
        TensorPrimitives.Add(squares, epsilon, scope.Scratch);
        TensorPrimitives.Sqrt(scope.Scratch, scope.Scratch);
        TensorPrimitives.Divide(delta, scope.Scratch, delta);
        TensorPrimitives.Multiply(delta, g, delta);
        scope.AverageSquares(changes, delta, rho);
        TensorPrimitives.Multiply(delta, T.CreateTruncating(-scope.LearningRate), delta);
    }
}
