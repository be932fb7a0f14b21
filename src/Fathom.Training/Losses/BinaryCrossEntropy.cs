using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Losses;

/// <summary>
/// Cross-entropy −t·log p − (1 − t)·log(1 − p) of independent yes/no outputs, p = σ(x), against targets t from 0 to
/// 1, with the mean over all elements. Its gradient over the logits is (p − t)/N. Hinton 1989.
/// </summary>
/// <param name="FromLogits">Whether the network ends in logits; false after a sigmoid, whose output is then clipped to [1e-7, 1 − 1e-7], as in Keras.</param>
public sealed record BinaryCrossEntropy(bool FromLogits = true) : Loss
{
    public override string Kind => "binary_cross_entropy";

    public override TargetForm Target => TargetForm.Real;

    public override OutputMeaning Output => FromLogits ? OutputMeaning.Logits : OutputMeaning.Probabilities;

    public override Value Attach(GraphBuilder builder, Value prediction, Value target) =>
        builder.Add("loss", new BinaryCrossEntropyLoss(FromLogits), [prediction, target]);
}
