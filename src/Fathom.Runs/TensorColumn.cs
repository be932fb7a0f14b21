namespace Fathom.Runs;

/// <summary>What a watched tensor is to the training step. The numbers are part of the file format.</summary>
public enum TensorRole
{
    /// <summary>A node's output in the forward pass.</summary>
    Activation = 0,

    /// <summary>The loss's gradient with respect to a node's output.</summary>
    ActivationGradient = 1,

    /// <summary>A weight or bias, as it stands after the step.</summary>
    Parameter = 2,

    /// <summary>The loss's gradient with respect to a parameter, unscaled and before clipping.</summary>
    ParameterGradient = 3,

    /// <summary>What the optimizer added to a parameter in this step.</summary>
    ParameterUpdate = 4,

    /// <summary>The loss's gradient with respect to a recurrent layer's state after one time step.</summary>
    StateGradient = 5,
}

/// <summary>
/// One watched tensor. The list of columns is fixed when the run is created; a column's index in it is the index of
/// its <see cref="TensorRow"/> in every step.
/// </summary>
/// <param name="Node">The graph node that the tensor belongs to.</param>
/// <param name="Tensor">The tensor's name within the node, such as <c>output</c>, <c>weight</c> or <c>bias</c>.</param>
/// <param name="Role">What the tensor is to the training step.</param>
/// <param name="Depth">The node's depth, counted in layers from the input, for plots over depth.</param>
/// <param name="Op">The node's operation.</param>
/// <param name="Count">Elements at the planned batch size; a step's own count is in its <see cref="TensorRow"/>.</param>
public sealed record TensorColumn(string Node, string Tensor, TensorRole Role, int Depth, string Op, long Count);
