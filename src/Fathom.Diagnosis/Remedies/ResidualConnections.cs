using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Adds each hidden block's input to its output (He et al. 2016); where their shapes differ, through a dense or 1×1 projection,
/// if that is asked for. With ReZero each branch begins at 0 (Bachlechner et al. 2021).
/// </summary>
public sealed class ResidualConnections : Remedy
{
    private const int FewestBlocks = 2;

    public override string Kind => "residual";

    public override Safety Safety => Safety.ChangesStructure;

    public override string Precondition => "no addition or gate yet; two hidden layers or more whose output has their input's shape, or can be reached by a projection";

    public override string Effect => "the identity path carries the gradient back with factor 1 past every block; with ReZero all of it at the start";

    public override string Source => "He et al. 2016; ReZero: Bachlechner et al. 2021";

    protected override ImmutableArray<string>? MadeFor => [Causes.Vanishing];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (model.Graph.Nodes.Any(node => node.Op is Add or GatedSum))
        {
            yield break;
        }
        IReadOnlyList<HiddenBlock> blocks = HiddenBlock.Of(model.Graph);
        int equal = blocks.Count(block => block.KeepsShape);
        if (equal >= FewestBlocks)
        {
            yield return new Prescription(this, "residual connection around each block", Plain);
            yield return new Prescription(this, "residual connection around each block, ReZero", old => Around(old, block => block.KeepsShape ? ResidualScale.Rezero : null));
        }
        int projected = blocks.Count(block => !block.KeepsShape && CanProject(block));
        if (projected > 0 && equal + projected >= FewestBlocks)
        {
            yield return new Prescription(this, "residual connection around each block, projected where shapes differ",
                old => Around(old, block => block.KeepsShape || CanProject(block) ? ResidualScale.None : null));
        }
    }

    private static ModelDefinition Plain(ModelDefinition model)
    {
        Dictionary<Node, Value> starts = HiddenBlock.Of(model.Graph).Where(block => block.KeepsShape).ToDictionary(block => block.End, block => block.Start);
        InsertedNames names = new(model.Graph);
        return model with { Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => starts.TryGetValue(node, out Value start) ? Sum(rewriter, start, node) : null) };

        Value Sum(GraphRewriter rewriter, Value start, Node node)
        {
            Add add = new();
            string name = names.Next(rewriter, add, node, "_skip");
            return rewriter.Builder.Layer(add, name, [rewriter.Mapped(start), rewriter.Copy(node)]);
        }
    }

    /// <param name="model">The model.</param>
    /// <param name="scale">How a block's branch is scaled; null to leave the block alone.</param>
    private static ModelDefinition Around(ModelDefinition model, Func<HiddenBlock, ResidualScale?> scale)
    {
        Dictionary<Node, HiddenBlock> blocks = HiddenBlock.Of(model.Graph).Where(block => scale(block) is not null).ToDictionary(block => block.End);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => blocks.TryGetValue(node, out HiddenBlock? block)
                ? rewriter.Builder.Block(new Residual(scale(block)!.Value, ChannelsLast: HiddenLayers.HasUnitsLast(block.Layer)),
                    HiddenLayers.FreeName(rewriter, model.Graph, node.Name + "_skip"), [rewriter.Copy(node), rewriter.Mapped(block.Start)])
                : null),
        };
    }

    /// <summary>Whether a projection can bring the block's input to its output's shape; it is tried, on a graph of the two alone.</summary>
    private static bool CanProject(HiddenBlock block)
    {
        try
        {
            GraphBuilder builder = new();
            Value branch = builder.Input("branch", block.End.Outputs[0]), start = builder.Input("start", block.Start.Type);
            builder.Block(new Residual(ChannelsLast: HiddenLayers.HasUnitsLast(block.Layer)), "sum", [branch, start]);
            return true;
        }
        catch (GraphException)
        {
            return false;
        }
    }
}
