using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Starts the forget gates of LSTM layers open: biases of 1 or 2 in place of 0.</summary>
public sealed class ForgetGateOpening : Remedy
{
    public override string Kind => "forget_gate";

    public override Safety Safety => Safety.Reinitializes;

    public override string Precondition => "LSTM layers with biases whose forget gate starts below 2";

    public override string Effect => "the cell keeps σ(b) of its content and gradient per step: 0.5 with b = 0, 0.73 with 1, 0.88 with 2";

    public override string Source => "Gers et al. 2000; Jozefowicz et al. 2015";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        foreach (double bias in (double[])[1, 2])
        {
            if (Targets(model.Graph, bias).Count > 0)
            {
                yield return new Prescription(this, $"forget-gate bias {bias}", old => Rewrite(old, bias));
            }
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model, double bias)
    {
        HashSet<Node> targets = Targets(model.Graph, bias);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) => targets.Contains(node)
                ? rewriter.Copy(node, initializer: (slot, old) => slot switch
                {
                    RecurrentNodes.Bias => new ForgetGateBias(bias),
                    RecurrentNodes.StateBias => ConstantInitializer.Zeros,
                    _ => old,
                })
                : null),
        };
    }

    private static HashSet<Node> Targets(Graph graph, double bias) => new(RecurrentNodes.Of(graph).Where(node => node.Op is Lstm { Bias: true }
        && !(HiddenLayers.InitializerOf(node, RecurrentNodes.Bias) is ForgetGateBias given && given.Number >= bias) && RecurrentNodes.OwnsWeights(graph, node)), ReferenceEqualityComparer.Instance);
}
