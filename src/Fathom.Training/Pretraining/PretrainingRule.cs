using Fathom.Graphs;
using Fathom.Training.Initialization;

namespace Fathom.Training.Pretraining;

/// <summary>
/// Greedy layer-wise pre-training (Hinton, Osindero and Teh 2006; Bengio et al. 2007): before step 1 each hidden layer of
/// a chain of dense layers learns to represent what the layer before it gives, without labels; then the whole network is
/// trained as usual. The output layer keeps its own start. One file per rule, and a line in
/// <see cref="PretrainingCatalog"/>.
/// </summary>
public abstract record PretrainingRule
{
    /// <summary>The name in model files, such as <c>rbm</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>Passes over the training data for each layer.</summary>
    public abstract int Epochs { get; init; }

    /// <exception cref="TrainingException">A setting is out of its range.</exception>
    public abstract void Validate();

    /// <summary>Refuses a network that this rule cannot train: one that is no chain of dense layers, or has the wrong activations.</summary>
    /// <exception cref="TrainingException">One line that names the layer.</exception>
    public void RequireChain(Graph network) => GreedyPretraining.Layers(network, this);

    /// <summary>What keeps a layer from being trained this way, such as «sigmoid units are needed»; null if nothing does.</summary>
    internal abstract string? Refusal(ChainLayer layer);

    /// <summary>Makes what trains one layer.</summary>
    internal abstract LayerTrainer Start(ChainLayer layer, LayerData data, PreparationScope scope);

    protected void Require(bool holds, string setting, double value, string allowed)
    {
        if (!holds)
        {
            throw new TrainingException($"pretraining {Kind}: {setting} is {FormattableString.Invariant($"{value}")}; it must be {allowed}");
        }
    }
}

/// <summary>Trains one layer, a batch at a time.</summary>
internal abstract class LayerTrainer : IDisposable
{
    /// <summary>One update; returns the sum over the batch of the squared error of the reconstruction.</summary>
    /// <param name="rows">Rows of the layer's data.</param>
    /// <param name="step">Counted from 0 over all epochs of the layer.</param>
    public abstract double Step(ReadOnlySpan<int> rows, long step);

    /// <summary>Brings what was learnt into the session's parameters.</summary>
    public virtual void Finish()
    {
    }

    public abstract void Dispose();
}
