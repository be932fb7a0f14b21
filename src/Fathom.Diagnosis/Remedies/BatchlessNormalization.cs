using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Puts layer normalization, for images of all channels as one group, in the place of batch normalization.</summary>
public sealed class BatchlessNormalization : Remedy
{
    /// <summary>Samples at once below which a batch's statistics are mostly noise.</summary>
    private const int Few = 8;

    public override string Kind => "layer_norm";

    public override Safety Safety => Safety.ChangesFunction;

    public override string Precondition => "batch normalization, with fewer than 8 samples at once or where a rule asks for it";

    public override string Effect => "mean and variance come from the sample itself, the same in training and evaluation, so that no batch's noise enters and the gradient does not grow by the factor that small batches bring";

    public override string Source => "Ba, Kiros and Hinton 2016; Wu and He 2018; growth: Yang et al. 2019, theorem 8";

    protected override ImmutableArray<string>? MadeFor => null;

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        bool few = model.Plan.MicroBatch(history.Data?.Count ?? int.MaxValue) < Few;
        if ((few || history.Asks(Kind)) && model.Graph.Nodes.Any(node => node.Op is BatchNorm))
        {
            yield return new Prescription(this, "batch norm → layer norm", Rewrite);
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model) => model with
    {
        Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => node.Op is BatchNorm norm ? Replace(rewriter, model.Graph, node, For(norm, node.Inputs[0].Shape)) : null),
    };

    private static Value Replace(GraphRewriter rewriter, Graph old, Node node, Op op)
    {
        string name = HiddenLayers.RenamedAfter(node, op);
        return rewriter.Builder.Layer(op, name == node.Name ? name : HiddenLayers.FreeName(rewriter, old, name, node), [rewriter.Mapped(node.Inputs[0])]);
    }

    private static Op For(BatchNorm norm, Shape shape) => shape.Rank == 2 || (norm.ChannelsLast && shape.Rank == 3)
        ? new LayerNorm([], norm.Eps, norm.Affine)
        : new GroupNorm(1, norm.Eps, norm.Affine, norm.ChannelsLast);
}
