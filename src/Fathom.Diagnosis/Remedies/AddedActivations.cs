using Fathom.Diagnosis.Audit;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Puts a function behind each hidden layer of a network that has none, so that more layers can say more than one.</summary>
public sealed class AddedActivations : Remedy
{
    private static readonly Op[] Functions = [new Relu(), new Tanh()];

    public override string Kind => "added_activation";

    public override Safety Safety => Safety.ChangesFunction;

    public override string Precondition => "dense layers or convolutions, two or more, and no function but linear ones between input and the last of them; a rule asks for it";

    public override string Effect => "layers with nothing between them compute what one layer does, W₂W₁x; with a function behind each, the network can bend where the data do; weights are drawn to suit it";

    public override string Source => "Goodfellow, Bengio and Courville 2016, section 6.1; weights: He et al. 2015, Glorot and Bengio 2010";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (Ends(model.Graph).Count > 0)
        {
            foreach (Op function in Functions)
            {
                yield return new Prescription(this, $"{function.Kind} behind each hidden layer", old => Rewrite(old, function));
            }
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model, Op function)
    {
        HashSet<Node> ends = Ends(model.Graph);
        return MatchedInitialization.Rewrite(model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) =>
                !ends.Contains(node) ? null
                : node.Op is Linear ? rewriter.Copy(node, function, name: HiddenLayers.FreeName(rewriter, model.Graph, HiddenLayers.RenamedAfter(node, function), node))
                : rewriter.Builder.Layer(function, HiddenLayers.FreeName(rewriter, model.Graph, $"{node.Name}_{function.Kind}"), [rewriter.Copy(node)])),
        });
    }

    /// <summary>Where functions belong: behind each hidden layer and its normalization, or in the place of a linear one there.</summary>
    private static HashSet<Node> Ends(Graph graph)
    {
        LayerReaders readers = new(graph);
        HashSet<Node> ends = new(ReferenceEqualityComparer.Instance);
        foreach (Node layer in LinearNetwork.Hidden(graph).Where(HiddenLayers.IsWeighted))
        {
            Node end = layer;
            while (end.Op is not Linear && readers.Of(end.Output) is [{ } reader] && (reader.Op is Linear || HiddenLayers.IsNormalization(reader)))
            {
                end = reader;
            }
            ends.Add(end);
        }
        return ends;
    }
}
