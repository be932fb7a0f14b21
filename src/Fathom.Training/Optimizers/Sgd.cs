using System.Numerics.Tensors;

namespace Fathom.Training.Optimizers;

/// <summary>
/// Stochastic gradient descent with PyTorch's momentum: v = momentum · v + (1 − dampening) · g, which in step 1 is g;
/// the change is −rate · v, with Nesterov −rate · (g + momentum · v). Sutskever et al. 2013.
/// </summary>
/// <param name="LearningRate">Greater than 0.</param>
/// <param name="Momentum">From 0 to below 1.</param>
/// <param name="Dampening">From 0 to 1.</param>
/// <param name="WeightDecay">Times the parameter, added to the gradient; 0 or more.</param>
/// <param name="Nesterov">Needs momentum and no dampening.</param>
public sealed record Sgd(double LearningRate = 0.01, double Momentum = 0, double Dampening = 0, double WeightDecay = 0, bool Nesterov = false) : Optimizer
{
    public override string Kind => "sgd";

    public override double LearningRate { get; init; } = LearningRate;

    public override int StateCount => Momentum == 0 ? 0 : 1;

    public override void Update<T>(in UpdateScope<T> scope)
    {
        Span<T> g = scope.DecayedGradient(WeightDecay);
        T rate = T.CreateTruncating(-scope.LearningRate);
        if (Momentum == 0)
        {
            TensorPrimitives.Multiply(g, rate, scope.Delta);
            return;
        }
        Span<T> v = scope.State(0);
        T momentum = T.CreateTruncating(Momentum);
        if (scope.Step == 1)
        {
            g.CopyTo(v);
        }
        else
        {
            TensorPrimitives.Multiply(v, momentum, v);
            TensorPrimitives.MultiplyAdd(g, T.CreateTruncating(1 - Dampening), v, v);
        }
        if (Nesterov)
        {
            TensorPrimitives.MultiplyAdd(v, momentum, g, scope.Scratch);
            TensorPrimitives.Multiply(scope.Scratch, rate, scope.Delta);
        }
        else
        {
            TensorPrimitives.Multiply(v, rate, scope.Delta);
        }
    }

    public override void Validate()
    {
        base.Validate();
        RequireShare("momentum", Momentum);
        Require(Dampening >= 0 && Dampening <= 1, "dampening", Dampening, "from 0 to 1");
        RequireNotNegative("weight_decay", WeightDecay);
        Require(!Nesterov || Momentum > 0, "momentum", Momentum, "greater than 0 with nesterov");
        Require(!Nesterov || Dampening == 0, "dampening", Dampening, "0 with nesterov");
    }
}
