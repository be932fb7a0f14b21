namespace Fathom.Training.Optimizers;

/// <summary><see cref="Lion"/> with the defaults of Keras 3. Chen et al. 2023, algorithm 2.</summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Beta1">Share of the mean gradient in the direction; from 0 to below 1.</param>
/// <param name="Beta2">Decay of the mean gradient; from 0 to below 1.</param>
/// <param name="WeightDecay">The parameter shrinks by rate · decay before the change; 0 or more.</param>
public sealed record KerasLion(double LearningRate = 0.001, double Beta1 = 0.9, double Beta2 = 0.99, double WeightDecay = 0) : Optimizer
{
    public override string Kind => "keras_lion";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 1;

    public override void Update<T>(in UpdateScope<T> scope) => Lion.Change(scope, Beta1, Beta2, WeightDecay);

    public override void Validate()
    {
        base.Validate();
        RequireShare("beta1", Beta1);
        RequireShare("beta2", Beta2);
        RequireNotNegative("weight_decay", WeightDecay);
    }
}
