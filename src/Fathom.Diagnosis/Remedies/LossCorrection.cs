using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Losses;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Takes the loss that reads the output for what it is, where the output suits the targets: a cross-entropy of probabilities
/// behind a softmax or sigmoid, one of logits behind the bare layer. The network stays as it is.
/// </summary>
public sealed class LossCorrection : Remedy
{
    public override string Kind => "loss";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "the output's function suits the targets, but the loss takes it for something else, or is the squared error of classes";

    public override string Effect => "with the loss that belongs to the output the gradient over the logits is p − t, without the factor p(1 − p) that fades where the network is wrong";

    public override string Source => "Bridle 1990; Golik, Doetsch and Ney 2013";

    protected override ImmutableArray<string>? MadeFor => null;

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        Loss given = model.Plan.Loss;
        OutputChain chain = new(model.Graph, given, history.Data);
        bool ofValues = given is MeanSquaredError or MeanAbsoluteError or Huber;
        if (Fitting(chain, given) is not { } loss || loss.Equals(given) || !(chain.Mismatches(given) || (ofValues && !chain.IsRegression)))
        {
            yield break;
        }
        bool weighable = model.Plan.ClassWeights is null || loss is not BinaryCrossEntropy { FromLogits: false };
        if (!chain.Mismatches(loss) && weighable)
        {
            yield return new Prescription(this, $"loss {Name(given)} → {Name(loss)}", old => old with { Plan = old.Plan with { Loss = loss } });
        }
    }

    /// <summary>The loss for an output that is left as it is; null if none is known.</summary>
    private static Loss? Fitting(OutputChain chain, Loss given)
    {
        if (chain.IsRegression)
        {
            return given is CrossEntropy or BinaryCrossEntropy or Hinge ? new MeanSquaredError() : null;
        }
        if (chain.Functions.Count > 1)
        {
            return null;
        }
        Op? function = chain.Functions.Count == 0 ? null : chain.Functions[0].Op;
        return (function, chain.Columns) switch
        {
            (null, 1) when chain.Classes == 2 => new BinaryCrossEntropy(),
            (Sigmoid, 1) when chain.Classes == 2 => new BinaryCrossEntropy(FromLogits: false),
            (null, > 1) when chain.Columns >= chain.Classes => Entropy(given, true),
            (Softmax, > 1) when chain.Columns >= chain.Classes => Entropy(given, false),
            (LogSoftmax, > 1) when chain.Columns >= chain.Classes => new NegativeLogLikelihood(),
            _ => null,
        };
    }

    private static CrossEntropy Entropy(Loss given, bool fromLogits) =>
        given is CrossEntropy entropy ? entropy with { FromLogits = fromLogits } : new CrossEntropy(fromLogits);

    private static string Name(Loss loss) => loss switch
    {
        CrossEntropy { FromLogits: true } or BinaryCrossEntropy { FromLogits: true } => $"{loss.Kind} of logits",
        CrossEntropy or BinaryCrossEntropy => $"{loss.Kind} of probabilities",
        _ => loss.Kind,
    };
}
