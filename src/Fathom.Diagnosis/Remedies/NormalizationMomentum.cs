using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Lets the running statistics of batch normalization follow the weights: the batch's usual weight in them, 0.1.</summary>
public sealed class NormalizationMomentum : Remedy
{
    private const double Usual = 0.1, Slow = 0.02, Fast = 0.5;

    public override string Kind => "norm_momentum";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "batch normalization whose momentum (the batch's weight; Keras writes 1 minus it) is below 0.02 or above 0.5";

    public override string Effect => "running mean and variance settle within about 20 steps and average over as many batches, so that evaluation sees what training saw; no gradient changes";

    public override string Source => "Ioffe and Szegedy 2015, algorithm 2; 0.1 is PyTorch's default";

    protected override ImmutableArray<string>? MadeFor => null;

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (model.Graph.Nodes.Any(IsOff))
        {
            yield return new Prescription(this, $"batch norm momentum {Number(Usual)}", Rewrite);
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model) => model with
    {
        Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => IsOff(node) ? rewriter.Copy(node, ((BatchNorm)node.Op) with { Momentum = Usual }) : null),
    };

    private static bool IsOff(Node node) => node.Op is BatchNorm { Momentum: < Slow or > Fast };
}
