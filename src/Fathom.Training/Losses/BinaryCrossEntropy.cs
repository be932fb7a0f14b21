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

    /// <summary>
    /// For one output the weights are those of no and yes: the term of a target t is weighed by (1 − t)·w₀ + t·w₁. For
    /// several outputs they weigh each one's positive term, as PyTorch's pos_weight. The mean is over all terms.
    /// </summary>
    public override Value Attach(GraphBuilder builder, Value prediction, Value target, IReadOnlyList<double> classWeights)
    {
        if (!FromLogits)
        {
            throw new TrainingException($"loss {Kind}: class weights need logits; leave the sigmoid out and set from_logits: true");
        }
        BinaryCrossEntropyLoss weighted = new(PositiveWeight: true);
        bool isSingle = prediction.Shape[^1] is { PerSample: false, Size: 1 };
        if (!isSingle)
        {
            return builder.Add("loss", weighted, [prediction, target, AddClassWeights(builder, prediction, classWeights)]);
        }
        if (classWeights.Count != 2 || !(classWeights[0] > 0))
        {
            throw new TrainingException($"loss {Kind}: class weights are {string.Join(", ", classWeights.Select(weight => FormattableString.Invariant($"{weight}")))}; one output needs 2, the first of them, for no, above 0");
        }
        // w₀·((1 − t)·softplus(x) + w₁/w₀·t·softplus(−x))
        Value ratio = builder.Add("class_weights", new ConstantVector([classWeights[1] / classWeights[0]]), []);
        Value terms = builder.Add("loss_by_class", weighted, [prediction, target, ratio]);
        return builder.Add("loss", new Multiply(), [terms, builder.Add("class_weight", new Constant(Shape.Scalar, classWeights[0]), [])]);
    }
}
