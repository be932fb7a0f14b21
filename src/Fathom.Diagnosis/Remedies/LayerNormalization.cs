using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Normalises each sample's pre-activations of a hidden layer, or what its function gives; the batch does not matter.</summary>
public sealed class LayerNormalization : Remedy
{
    public override string Kind => "layer_norm";

    public override Safety Safety => Safety.ChangesStructure;

    public override string Precondition => "a dense layer or convolution that an activation reads directly; any batch";

    public override string Effect => "the gradient's mean square changes by E[φ'²]/E[φ²] per layer, which is 1 for the ReLU family whatever the weights' scale";

    public override string Source => "Ba, Kiros and Hinton 2016; for images, as one group: Wu and He 2018";

    protected override ImmutableArray<string>? MadeFor => [Causes.Saturation, Causes.Exploding];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (Normalization.Layers(model.Graph).Count > 0)
        {
            yield return new Prescription(this, "layer norm before each activation", old => Normalization.Insert(old, behindFunction: false, For));
            yield return new Prescription(this, "layer norm after each activation", old => Normalization.Insert(old, behindFunction: true, For));
        }
    }

    /// <summary>For images one group of all channels, which has a weight and a bias for each channel and not for each pixel.</summary>
    private static Op For(Node layer) => layer.Op is ConvolutionOp ? new GroupNorm(1, ChannelsLast: HiddenLayers.HasUnitsLast(layer)) : new LayerNorm([]);
}
