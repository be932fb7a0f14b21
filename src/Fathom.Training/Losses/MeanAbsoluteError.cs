using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Losses;

/// <summary>Mean of |x − t|.</summary>
public sealed record MeanAbsoluteError : Loss
{
    public override string Kind => "mae";

    public override TargetForm Target => TargetForm.Real;

    public override OutputMeaning Output => OutputMeaning.Values;

    public override Value Attach(GraphBuilder builder, Value prediction, Value target) =>
        builder.Add("loss", new MeanAbsoluteErrorLoss(), [prediction, target]);
}
