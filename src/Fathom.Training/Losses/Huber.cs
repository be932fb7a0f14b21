using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Losses;

/// <summary>
/// Mean of (x − t)²/2 where |x − t| is at most <paramref name="Delta"/>, and of Delta·(|x − t| − Delta/2) beyond: a
/// parabola that becomes a line, with bounded slopes for outliers. Huber 1964.
/// </summary>
/// <param name="Delta">Error at which the line begins; greater than 0.</param>
public sealed record Huber(double Delta = 1) : Loss
{
    public override string Kind => "huber";

    public override TargetForm Target => TargetForm.Real;

    public override OutputMeaning Output => OutputMeaning.Values;

    public override Value Attach(GraphBuilder builder, Value prediction, Value target) =>
        builder.Add("loss", new HuberLoss(Delta), [prediction, target]);

    public override void Validate() => Require(Delta > 0 && !double.IsInfinity(Delta), "delta", Delta, "greater than 0 and finite");
}
