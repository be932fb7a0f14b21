namespace Fathom.Training.Optimizers;

/// <summary>
/// <see cref="Nadam"/> as in Keras 3: the momentum μ_t = β1 · (1 − 0.96^t / 2) warms up within some hundred steps, not
/// within tens of thousands. Dozat 2016, algorithm 2.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Beta1">Decay of the mean gradient; from 0 to below 1.</param>
/// <param name="Beta2">Decay of the mean squared gradient; from 0 to below 1.</param>
/// <param name="Epsilon">Added to the root; 0 or more.</param>
/// <param name="WeightDecay">The parameter shrinks by rate · decay before the change; 0 or more.</param>
public sealed record KerasNadam(double LearningRate = 0.001, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-7, double WeightDecay = 0) : Optimizer
{
    private const double MomentumDecay = 1;

    public override string Kind => "keras_nadam";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => 2;

    /// <summary>Π μ up to this step.</summary>
    public override double NumberForStep(long step) => Nadam.MomentumProduct(step, Beta1, MomentumDecay);

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Nadam.Change(scope, scope.Gradient, Beta1, Beta2, Epsilon, MomentumDecay);
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
