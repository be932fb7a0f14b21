using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Losses;

/// <summary>
/// Kullback–Leibler divergence from the target distribution, Σ t·(log t − log p) for each sample, with the mean over
/// the batch. Kullback and Leibler 1951.
/// </summary>
/// <param name="FromProbabilities">Whether the network ends in probabilities, as in Keras, rather than in log-probabilities, as in PyTorch.</param>
public sealed record KullbackLeibler(bool FromProbabilities = false) : Loss
{
    public override string Kind => "kl_divergence";

    public override TargetForm Target => TargetForm.Real;

    public override OutputMeaning Output => FromProbabilities ? OutputMeaning.Probabilities : OutputMeaning.Logits;

    public override Value Attach(GraphBuilder builder, Value prediction, Value target) =>
        builder.Add("loss", new KullbackLeiblerLoss(FromProbabilities: FromProbabilities), [prediction, target]);
}
