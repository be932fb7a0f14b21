using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Normalises each hidden layer's pre-activations over the batch (Ioffe and Szegedy 2015), or what its function gives.</summary>
public sealed class BatchNormalization : Remedy
{
    /// <summary>Batches below this make the statistics too noisy to rely on.</summary>
    private const int SmallestBatch = 8;

    public override string Kind => "batch_norm";

    public override Safety Safety => Safety.ChangesStructure;

    public override string Precondition => "batch of 8 or more; a dense layer or convolution that an activation reads directly";

    public override string Effect => "pre-activations of mean 0 and variance 1 keep every layer where its activation has slope";

    public override string Source => "Ioffe and Szegedy 2015; behind the activation: Mishkin, Sergievskiy and Matas 2017";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (model.Plan.BatchSize >= SmallestBatch && Normalization.Layers(model.Graph).Count > 0)
        {
            yield return new Prescription(this, "batch norm before each activation", old => Normalization.Insert(old, behindFunction: false, For));
            yield return new Prescription(this, "batch norm after each activation", old => Normalization.Insert(old, behindFunction: true, For));
        }
    }

    private static BatchNorm For(Node layer) => new(ChannelsLast: HiddenLayers.HasUnitsLast(layer));
}
