using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Losses;

/// <summary>
/// The margin loss for capsule lengths, as <c>capsule_length</c> gives them, one for each class: the right class is
/// to be longer than <paramref name="PositiveMargin"/>, the others shorter than <paramref name="NegativeMargin"/>.
/// With targets t of 1 and 0 that is t·max(0, m⁺ − x)² + λ·(1 − t)·max(0, x − m⁻)². Summed over the classes, averaged
/// over the batch. Sabour, Frosst and Hinton (2017), equation 4.
/// </summary>
/// <param name="PositiveMargin">m⁺, from 0 to 1 and not below <paramref name="NegativeMargin"/>.</param>
/// <param name="NegativeMargin">m⁻, from 0 to 1.</param>
/// <param name="NegativeWeight">λ, the weight of the absent classes; 0 or more.</param>
public sealed record Margin(double PositiveMargin = 0.9, double NegativeMargin = 0.1, double NegativeWeight = 0.5) : Loss
{
    public override string Kind => "margin";

    public override TargetForm Target => TargetForm.Real;

    /// <summary>A length is read like a probability: the longest capsule's class, or the threshold 1/2 for one alone.</summary>
    public override OutputMeaning Output => OutputMeaning.Probabilities;

    public override Value Attach(GraphBuilder builder, Value prediction, Value target) =>
        builder.Add("loss", new MarginLoss(PositiveMargin, NegativeMargin, NegativeWeight), [prediction, target]);

    public override void Validate()
    {
        Require(PositiveMargin is >= 0 and <= 1, "positive_margin", PositiveMargin, "from 0 to 1");
        Require(NegativeMargin >= 0 && NegativeMargin <= PositiveMargin, "negative_margin", NegativeMargin, "from 0 to positive_margin");
        Require(NegativeWeight >= 0 && double.IsFinite(NegativeWeight), "negative_weight", NegativeWeight, "0 or more and finite");
    }
}
