using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Losses;

/// <summary>Mean of max(0, 1 − t·x) for targets −1 and 1.</summary>
public sealed record Hinge : Loss
{
    public override string Kind => "hinge";

    public override TargetForm Target => TargetForm.Real;

    public override OutputMeaning Output => OutputMeaning.Margin;

    public override Value Attach(GraphBuilder builder, Value prediction, Value target) =>
        builder.Add("loss", new HingeLoss(), [prediction, target]);
}
