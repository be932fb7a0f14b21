namespace Fathom.Training.Optimizers;

/// <summary>
/// <see cref="Adam"/> with weight decay beside the gradient: the parameter shrinks by rate · decay. Loshchilov and
/// Hutter 2019, algorithm 2.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Beta1">Decay of the mean gradient; from 0 to below 1.</param>
/// <param name="Beta2">Decay of the mean squared gradient; from 0 to below 1.</param>
/// <param name="Epsilon">Added to the root; 0 or more.</param>
/// <param name="WeightDecay">0 or more.</param>
/// <param name="Amsgrad">Whether to divide by the largest mean square so far.</param>
public sealed record AdamW(double LearningRate = 0.001, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-8, double WeightDecay = 0.01, bool Amsgrad = false) : Optimizer
{
    public override string Kind => "adamw";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => Amsgrad ? 3 : 2;

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Adam.Change(scope, scope.Gradient, Beta1, Beta2, Epsilon, Amsgrad);
        scope.DecayWeights(WeightDecay);
    }

    internal override bool NeedsOnePass => !Amsgrad;

    internal override void UpdateInOnePass<T>(in OnePass<T> piece) =>
        piece.Run(new Adam.Rule<T>(Beta1, Beta2, Epsilon, piece.LearningRate, piece.Step, 0, WeightDecay));

    public override void Validate()
    {
        base.Validate();
        RequireShare("beta1", Beta1);
        RequireShare("beta2", Beta2);
        RequireNotNegative("epsilon", Epsilon);
        RequireNotNegative("weight_decay", WeightDecay);
    }
}
