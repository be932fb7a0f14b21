using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Puts a function whose slope does not fall to 0 on both sides in the place of the hidden activations.</summary>
public sealed class ActivationSwap : Remedy
{
    private static readonly (Op Op, string[] CuresOf)[] Choices =
    [
        (new Relu(), [Causes.Vanishing, Causes.Saturation, Causes.BadInitialization]),
        (new LeakyRelu(0.1), [Causes.Vanishing, Causes.Saturation, Causes.DeadRelu]),
        (new Elu(), [Causes.Vanishing, Causes.Saturation, Causes.DeadRelu]),
        (new Selu(), [Causes.Vanishing, Causes.Saturation]),
        (new PRelu(), [Causes.DeadRelu]),
        (new Gelu(), [Causes.DeadRelu]),
        (new Tanh(), [Causes.Vanishing, Causes.Exploding]),
    ];

    public override string Kind => "activation";

    public override Safety Safety => Safety.ChangesFunction;

    public override string Precondition => "hidden elementwise functions without parameters; the output's own function and gates stay";

    public override string Effect => "ReLU and its kin have slope 1 for positive inputs, so that a layer can pass the gradient on whole where sigmoid allows a quarter; leaky, ELU and GELU let a dead unit come back; tanh bounds what explodes";

    public override string Source => "Glorot, Bordes and Bengio 2011; Maas, Hannun and Ng 2013; He et al. 2015 (PReLU); Clevert et al. 2016 (ELU); Klambauer et al. 2017 (SELU, with its initialization); Hendrycks and Gimpel 2016 (GELU)";

    protected override ImmutableArray<string>? MadeFor => [Causes.Vanishing, Causes.Saturation, Causes.DeadRelu];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        HashSet<string> present = [.. Swappable(model.Graph).Select(node => node.Op.Kind)];
        if (present.Count == 0)
        {
            yield break;
        }
        // A rule may ask for another function for a cause of its own: then what helps against most.
        bool known = Choices.Any(choice => history.Has(choice.CuresOf));
        foreach ((Op op, string[] causes) in Choices)
        {
            bool fits = known ? history.Has(causes) : history.Asks(Kind) && op is (Relu or LeakyRelu or Elu);
            if (!present.Contains(op.Kind) && fits)
            {
                yield return op is Selu
                    ? new Prescription(this, $"{string.Join(", ", present)} → selu with LeCun weights", old => MatchedInitialization.Rewrite(Swap(old, op)))
                    : new Prescription(this, $"{string.Join(", ", present)} → {op.Kind}", old => Swap(old, op));
            }
        }
    }

    private static ModelDefinition Swap(ModelDefinition model, Op op)
    {
        HashSet<Node> hidden = new(Swappable(model.Graph), ReferenceEqualityComparer.Instance);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => hidden.Contains(node)
                ? rewriter.Copy(node, op: op, name: HiddenLayers.FreeName(rewriter, model.Graph, HiddenLayers.RenamedAfter(node, op), node))
                : null),
        };
    }

    private static IEnumerable<Node> Swappable(Graph graph) => HiddenLayers.Activations(graph).Where(node => !node.Parameters.Any());
}
