using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Takes every second of the hidden layers away that keep their input's shape.</summary>
public sealed class FewerLayers : Remedy
{
    /// <summary>Layers that may go; with fewer, depth is not the trouble.</summary>
    private const int Least = 4;

    public override string Kind => "fewer_layers";

    public override Safety Safety => Safety.ChangesStructure;

    public override string Precondition => "four or more hidden layers whose output has their input's shape, on a path without branches";

    public override string Effect => "a gradient that changes by a factor f per layer changes by f^(L/2) in place of f^L";

    public override string Source => "Schoenholz et al. 2017: trainable to about 6 depth scales";

    protected override ImmutableArray<string>? MadeFor => [Causes.Vanishing];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        int spare = Spare(model.Graph).Count;
        if (spare >= Least)
        {
            yield return new Prescription(this, $"{spare / 2} hidden layers fewer", old => Without(old, 2));
            yield return new Prescription(this, $"{spare - 1} hidden layers fewer", old => Without(old, int.MaxValue));
        }
    }

    /// <summary>Blocks that a graph can do without: what enters them can go where they end.</summary>
    private static List<HiddenBlock> Spare(Graph graph)
    {
        LayerReaders readers = new(graph);
        return [.. HiddenBlock.Of(graph).Where(block => block.KeepsShape && readers.Of(block.Start).Count == 1)];
    }

    /// <summary>Keeps every n-th of the blocks, the first one always.</summary>
    private static ModelDefinition Without(ModelDefinition model, int keepEach)
    {
        Dictionary<Node, Value> gone = new(ReferenceEqualityComparer.Instance);
        foreach (HiddenBlock block in Spare(model.Graph).Where((_, index) => index % keepEach != 0))
        {
            foreach (Node node in block.Nodes)
            {
                gone[node] = block.Start;
            }
        }
        return model with { Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => gone.TryGetValue(node, out Value start) ? rewriter.Mapped(start) : null) };
    }
}
