namespace Fathom.Training.Optimizers;

/// <summary><see cref="KerasAdam"/> with Keras' default decay of AdamW. Loshchilov and Hutter 2019.</summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Beta1">Decay of the mean gradient; from 0 to below 1.</param>
/// <param name="Beta2">Decay of the mean squared gradient; from 0 to below 1.</param>
/// <param name="Epsilon">Added to the root; 0 or more.</param>
/// <param name="WeightDecay">The parameter shrinks by rate · decay before the change; 0 or more.</param>
/// <param name="Amsgrad">Whether to divide by the largest mean square so far.</param>
public sealed record KerasAdamW(double LearningRate = 0.001, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-7, double WeightDecay = 0.004, bool Amsgrad = false) : Optimizer
{
    public override string Kind => "keras_adamw";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => Amsgrad ? 3 : 2;

    public override void Update<T>(in UpdateScope<T> scope)
    {
        KerasAdam.Change(scope, Beta1, Beta2, Epsilon, Amsgrad);
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
