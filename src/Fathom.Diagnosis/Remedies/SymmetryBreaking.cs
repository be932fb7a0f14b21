using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Draws the weights that start all alike, and leaves all others.</summary>
public sealed class SymmetryBreaking : Remedy
{
    public override string Kind => "initialization";

    public override Safety Safety => Safety.Reinitializes;

    public override string Precondition => "dense layers or convolutions whose weights all start at one number";

    public override string Effect => "units that start alike get the same gradient and stay alike; drawn weights make them differ from the first step";

    public override string Source => "Rumelhart, Hinton and Williams 1986";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        Node[] alike = [.. Alike(model.Graph)];
        if (alike.Length > 0)
        {
            yield return new Prescription(this, alike.Length == 1 ? $"weights of {alike[0].Name} drawn" : $"weights of {alike.Length} layers drawn", Rewrite);
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model)
    {
        LayerReaders readers = new(model.Graph);
        HashSet<Node> alike = new(Alike(model.Graph), ReferenceEqualityComparer.Instance);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => alike.Contains(node)
                ? rewriter.Copy(node, initializer: (slot, old) => slot == "weight" ? MatchedInitialization.For(HiddenLayers.FunctionAfter(readers, node)) : old)
                : null),
        };
    }

    private static IEnumerable<Node> Alike(Graph graph) =>
        graph.Nodes.Where(node => HiddenLayers.IsWeighted(node) && HiddenLayers.InitializerOf(node, "weight") is ConstantInitializer);
}
