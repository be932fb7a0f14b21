using Fathom.Compute;

namespace Fathom.Training.Execution;

/// <summary>
/// Changes one parameter by its gradient. During the backward pass a gradient that was just computed is still in the cache
/// of the thread that computed it.
/// </summary>
internal interface IParameterUpdate
{
    /// <summary>Called from any thread, for different parameters at the same time.</summary>
    /// <param name="parameter">The parameter, whose gradient is complete.</param>
    /// <param name="workers">The threads that may be used.</param>
    void Apply(ParameterSlice parameter, WorkerPool workers);
}
