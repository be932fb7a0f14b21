using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Puts a function whose slope does not fall to 0 on both sides in the place of the hidden activations.</summary>
public sealed class ActivationSwap : Remedy
{
    private static readonly (Activation Op, string[] CuresOf)[] Choices =
    [
        (new Relu(), [Causes.Vanishing, Causes.Saturation, Causes.BadInitialization]),
        (new LeakyRelu(0.1), [Causes.Vanishing, Causes.Saturation, Causes.DeadRelu]),
        (new Elu(), [Causes.Vanishing, Causes.Saturation, Causes.DeadRelu]),
        (new Tanh(), [Causes.Vanishing, Causes.Exploding]),
    ];

    public override string Kind => "activation";

    public override Safety Safety => Safety.ChangesFunction;

    public override string Effect => "ReLU and its kin have slope 1 for positive inputs, so |w|·φ' can stay at 1 where sigmoid allows 1/4";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, IReadOnlyList<Finding> findings)
    {
        HashSet<string> present = [.. Swappable(model.Graph).Select(node => node.Op.Kind)];
        if (present.Count == 0)
        {
            yield break;
        }
        foreach ((Activation op, string[] causes) in Choices)
        {
            if (!present.Contains(op.Kind) && findings.Any(finding => causes.Contains(finding.Cause)))
            {
                yield return new Prescription(this, $"{string.Join(", ", present)} → {op.Kind}", old => Swap(old, op));
            }
        }
    }

    private static ModelDefinition Swap(ModelDefinition model, Activation op)
    {
        HashSet<Node> hidden = new(Swappable(model.Graph), ReferenceEqualityComparer.Instance);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => hidden.Contains(node)
                ? rewriter.Copy(node, op: op, name: HiddenLayers.FreeName(rewriter, model.Graph, RenamedAfter(node, op), node))
                : null),
        };
    }

    private static IEnumerable<Node> Swappable(Graph graph) => HiddenLayers.Activations(graph).Where(node => !node.Parameters.Any());

    /// <summary>An automatic name such as sigmoid_3 would lie after the swap; one that the user chose stays.</summary>
    private static string RenamedAfter(Node node, Activation op) =>
        node.Name.StartsWith(node.Op.Kind + "_", StringComparison.Ordinal) && int.TryParse(node.Name.AsSpan(node.Op.Kind.Length + 1), out _)
            ? op.Kind + node.Name[node.Op.Kind.Length..]
            : node.Name;
}
