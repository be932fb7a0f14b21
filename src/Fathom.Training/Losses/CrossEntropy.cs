using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Losses;

/// <summary>
/// Cross-entropy −Σ t·log p over the classes on the last axis, p = softmax(x), with the mean over all rows; the usual
/// loss for classification. Its gradient over the logits is (p − t)/N, which does not fade where the network is
/// wrong. Bridle 1990.
/// </summary>
/// <param name="FromLogits">Whether the network ends in logits; false after a softmax, whose output is then clipped to [1e-7, 1 − 1e-7], as in Keras.</param>
/// <param name="OneHot">Whether targets are one-hot rows or other distributions in place of class indices.</param>
/// <param name="LabelSmoothing">Share of the target that is spread over all classes, from 0 to 1. Szegedy et al. 2016.</param>
public sealed record CrossEntropy(bool FromLogits = true, bool OneHot = false, double LabelSmoothing = 0) : Loss
{
    public override string Kind => "cross_entropy";

    public override TargetForm Target => OneHot ? TargetForm.Real : TargetForm.Index;

    public override OutputMeaning Output => FromLogits ? OutputMeaning.Logits : OutputMeaning.Probabilities;

    public override Value Attach(GraphBuilder builder, Value prediction, Value target) =>
        builder.Add("loss", new CrossEntropyLoss(FromLogits, OneHot, LabelSmoothing), [prediction, target]);

    public override bool DividesByClassWeights => !OneHot;

    public override Value Attach(GraphBuilder builder, Value prediction, Value target, IReadOnlyList<double> classWeights) =>
        builder.Add("loss", new CrossEntropyLoss(FromLogits, OneHot, LabelSmoothing, ClassWeights: true), [prediction, target, AddClassWeights(builder, prediction, classWeights)]);

    public override void Validate() =>
        Require(LabelSmoothing >= 0 && LabelSmoothing <= 1, "label_smoothing", LabelSmoothing, "from 0 to 1");
}
