namespace Fathom.Training.Optimizers;

/// <summary><see cref="Adadelta"/> with the defaults of Keras 3, whose weights decay beside the gradient. Zeiler 2012, algorithm 1.</summary>
/// <param name="LearningRate">Factor on the change; greater than 0.</param>
/// <param name="Rho">Decay of both averages; from 0 to below 1.</param>
/// <param name="Epsilon">Within both roots; greater than 0, or nothing ever moves.</param>
/// <param name="WeightDecay">The parameter shrinks by rate · decay before the change; 0 or more.</param>
public sealed record KerasAdadelta(double LearningRate = 0.001, double Rho = 0.95, double Epsilon = 1e-7, double WeightDecay = 0) : Optimizer
{
    public override string Kind => "keras_adadelta";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 2;

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Adadelta.Change(scope, scope.Gradient, Rho, Epsilon);
        scope.DecayWeights(WeightDecay);
    }

    public override void Validate()
    {
        base.Validate();
        RequireShare("rho", Rho);
        Require(Epsilon > 0 && !double.IsInfinity(Epsilon), "epsilon", Epsilon, "greater than 0 and finite");
        RequireNotNegative("weight_decay", WeightDecay);
    }
}
