namespace Fathom.Training.Replay;

/// <summary>What follows the backward pass, in its order.</summary>
public enum UpdateStage
{
    /// <summary>The gradient came non-finite from the backward pass.</summary>
    Backward,

    /// <summary>The sum over micro-batches, a penalty, or noise.</summary>
    Regularization,

    Clipping,
    Optimizer,
}

/// <summary>A parameter that a step left non-finite, or whose optimizer state it did.</summary>
/// <param name="Parameter">Its name.</param>
/// <param name="Stage">Where the first non-finite value came from.</param>
/// <param name="State">The state tensor that is not finite, counted from 0; −1 if it is the parameter itself, or its gradient before the optimizer.</param>
/// <param name="Tensor">The tensor that is not finite.</param>
/// <param name="Value">The parameter before the step, at the tensor's first non-finite place.</param>
/// <param name="Gradient">Its gradient as the optimizer got it, there.</param>
/// <param name="States">The optimizer's state before the step, there.</param>
/// <param name="GradientRange">The whole gradient as the optimizer got it.</param>
public sealed record OptimizerFacts(string Parameter, UpdateStage Stage, int State, TensorFacts Tensor, double Value, double Gradient,
    IReadOnlyList<double> States, TensorFacts GradientRange);
