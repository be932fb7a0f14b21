using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Makes each hidden layer of equal width a highway layer: a learnt gate lets its output through or carries its input past it.</summary>
public sealed class HighwayGates : Remedy
{
    private const int FewestBlocks = 4;

    /// <summary>σ(−2) = 0.12: a deep network begins by carrying 88 % of its input through.</summary>
    private const double GateBias = -2;

    public override string Kind => "highway";

    public override Safety Safety => Safety.ChangesStructure;

    public override string Precondition => "no addition or gate yet; four dense hidden layers or more whose output has their input's shape";

    public override string Effect => "the carry path multiplies the gradient by 1 − T, 0.88 at the start, where a layer's own factor may be far from 1";

    public override string Source => "Srivastava, Greff and Schmidhuber 2015";

    protected override ImmutableArray<string>? MadeFor => [Causes.Vanishing];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (!model.Graph.Nodes.Any(node => node.Op is Add or GatedSum) && Blocks(model.Graph).Count >= FewestBlocks)
        {
            yield return new Prescription(this, "highway gate around each layer", Rewrite);
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model)
    {
        Dictionary<Node, HiddenBlock> blocks = Blocks(model.Graph);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => blocks.TryGetValue(node, out HiddenBlock? block) ? Gated(rewriter, model.Graph, block) : null),
        };
    }

    private static Value Gated(GraphRewriter rewriter, Graph old, HiddenBlock block)
    {
        Value x = rewriter.Mapped(block.Start), transform = rewriter.Copy(block.End);
        Value gate = rewriter.Builder.Layer(new Dense(x.Shape[^1].Size), HiddenLayers.FreeName(rewriter, old, block.End.Name + "_gate"), [x],
            new Dictionary<string, Initializer> { ["bias"] = new ConstantInitializer(GateBias) });
        gate = rewriter.Builder.Layer(new Sigmoid(), HiddenLayers.FreeName(rewriter, old, block.End.Name + "_gate.sigmoid"), [gate]);
        return rewriter.Builder.Layer(new GatedSum(), HiddenLayers.FreeName(rewriter, old, block.End.Name + "_highway"), [gate, transform, x]);
    }

    private static Dictionary<Node, HiddenBlock> Blocks(Graph graph) =>
        HiddenBlock.Of(graph).Where(block => block.KeepsShape && block.Layer.Op is Dense).ToDictionary(block => block.End);
}
