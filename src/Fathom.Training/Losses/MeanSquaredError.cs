using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Losses;

/// <summary>Mean of (x − t)².</summary>
public sealed record MeanSquaredError : Loss
{
    public override string Kind => "mse";

    public override TargetForm Target => TargetForm.Real;

    public override OutputMeaning Output => OutputMeaning.Values;

    public override Value Attach(GraphBuilder builder, Value prediction, Value target) =>
        builder.Add("loss", new MeanSquaredErrorLoss(), [prediction, target]);
}
