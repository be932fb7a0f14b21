using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Multiplies the output by the targets' standard deviation and adds their mean, so that the last layer learns targets of mean
/// 0 and variance 1, and the network still says them in their own units. With SGD the learning rate is divided by the factor
/// that this puts on the gradient, which makes the run that of scaled targets.
/// </summary>
public sealed class TargetScaling : Remedy
{
    /// <summary>Standard deviations of the targets for which the output's start at about 0 ± 1 is good enough.</summary>
    private const double Small = 0.1, Large = 10;

    public override string Kind => "target_scaling";

    public override Safety Safety => Safety.ChangesFunction;

    public override string Precondition => "real targets with a mean beyond 3 or a standard deviation below 0.1 or above 10, a linear output, the loss mse, mae or huber";

    public override string Effect => "the first errors are of size 1 and not of the targets' size, so that no step is spent on, or thrown off by, their scale";

    public override string Source => "LeCun et al. 1998, section 4.5";

    protected override ImmutableArray<string>? MadeFor => [Causes.WrongOutputOrLoss, Causes.Exploding, Causes.LearningRateTooLarge, Causes.LearningRateTooSmall, Causes.Numerical];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (history.Data is not { Kind: TargetKind.Real, Count: > 1 } data || model.Plan.Loss is not (MeanSquaredError or MeanAbsoluteError or Huber)
            || new OutputChain(model.Graph, model.Plan.Loss, data).Functions.Count > 0 || model.Graph.Output.Node.Op is Rescaling)
        {
            yield break;
        }
        double mean = Rounded.To(data.Statistics.TargetMean, 3), deviation = Rounded.To(Math.Sqrt(data.Statistics.TargetVariance), 3);
        bool sound = Math.Abs(mean) <= 3 && deviation is >= Small and <= Large;
        if (!sound && deviation > 0 && double.IsFinite(mean) && double.IsFinite(deviation))
        {
            yield return new Prescription(this, $"output × {Number(deviation)}{(mean < 0 ? $" − {Number(-mean)}" : $" + {Number(mean)}")}", old => Scale(old, deviation, mean));
        }
    }

    private static ModelDefinition Scale(ModelDefinition model, double factor, double offset)
    {
        Node last = model.Graph.Output.Node;
        Graph graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => node == last
            ? rewriter.Builder.Layer(new Rescaling(factor, offset), HiddenLayers.FreeName(rewriter, model.Graph, "target_scale"), [rewriter.Copy(node)])
            : null);
        double growth = model.Plan.Loss is MeanAbsoluteError ? factor : factor * factor;
        Optimizer optimizer = model.Plan.Optimizer is Sgd or KerasSgd
            ? model.Plan.Optimizer with { LearningRate = Rounded.To(model.Plan.Optimizer.LearningRate / growth, 3) }
            : model.Plan.Optimizer;
        return model with { Graph = graph, Plan = model.Plan with { Optimizer = optimizer } };
    }
}
