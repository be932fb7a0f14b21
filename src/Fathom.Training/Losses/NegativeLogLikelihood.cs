using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Losses;

/// <summary>Mean of −x[class] for a network that ends in log-probabilities (log-softmax).</summary>
public sealed record NegativeLogLikelihood : Loss
{
    public override string Kind => "nll";

    public override TargetForm Target => TargetForm.Index;

    public override OutputMeaning Output => OutputMeaning.Logits;

    public override Value Attach(GraphBuilder builder, Value prediction, Value target) =>
        builder.Add("loss", new NegativeLogLikelihoodLoss(), [prediction, target]);

    public override bool DividesByClassWeights => true;

    public override Value Attach(GraphBuilder builder, Value prediction, Value target, IReadOnlyList<double> classWeights) =>
        builder.Add("loss", new NegativeLogLikelihoodLoss(ClassWeights: true), [prediction, target, AddClassWeights(builder, prediction, classWeights)]);
}
