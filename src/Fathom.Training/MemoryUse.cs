namespace Fathom.Training;

/// <summary>Native memory of a session in bytes. All of it is taken before the first step, and no step takes more.</summary>
/// <param name="Parameters">Weights and running statistics.</param>
/// <param name="Gradients">Gradients of the parameters.</param>
/// <param name="OptimizerState">Tensors of the optimizer, and the sum of micro-batches if there is one.</param>
/// <param name="Activations">Activations and their gradients in a full batch; those that are not alive at once share memory.</param>
/// <param name="LeastActivations">The most of them that are alive at once: no placement in memory needs less.</param>
/// <param name="Scratch">What kernels work with.</param>
public sealed record MemoryUse(long Parameters, long Gradients, long OptimizerState, long Activations, long LeastActivations, long Scratch)
{
    public long Total => Parameters + Gradients + OptimizerState + Activations + Scratch;
}
