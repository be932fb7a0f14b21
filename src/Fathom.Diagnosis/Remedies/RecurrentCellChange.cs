using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Puts LSTM or GRU layers of the same number of units in the place of plain recurrent ones.</summary>
public sealed class RecurrentCellChange : Remedy
{
    public override string Kind => "recurrent";

    public override Safety Safety => Safety.ChangesStructure;

    public override string Precondition => "plain recurrent layers whose weights and final state no other layer reads";

    public override string Effect => "the cell passes a gradient on multiplied by the forget gate alone, σ(1) = 0.73 or learnt up to 1, and not by W_hhᵀ·φ' at every step";

    public override string Source => "Hochreiter and Schmidhuber 1997; Gers et al. 2000; Cho et al. 2014 (GRU)";

    protected override ImmutableArray<string>? MadeFor => [Causes.Vanishing, Causes.Exploding, Causes.Saturation, Causes.BadInitialization];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (Targets(model.Graph).Count > 0)
        {
            yield return new Prescription(this, "rnn → lstm", old => Rewrite(old, rnn => new Lstm(rnn.Units, rnn.Bias, rnn.RecurrentBias, rnn.Reverse, rnn.Masked, rnn.Truncate)));
            yield return new Prescription(this, "rnn → gru", old => Rewrite(old, rnn => new Gru(rnn.Units, true, rnn.Bias, rnn.RecurrentBias, rnn.Reverse, rnn.Masked, rnn.Truncate)));
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model, Func<Rnn, RecurrentLayer> cell)
    {
        HashSet<Node> targets = Targets(model.Graph);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) =>
            {
                if (!targets.Contains(node))
                {
                    return null;
                }
                RecurrentLayer op = cell((Rnn)node.Op);
                return rewriter.Copy(node, op, name: HiddenLayers.FreeName(rewriter, model.Graph, HiddenLayers.RenamedAfter(node, op), node),
                    initializer: (slot, old) => RecurrentNodes.Default(node, op, slot) ?? old);
            }),
        };
    }

    private static HashSet<Node> Targets(Graph graph) => new(RecurrentNodes.Of(graph).Where(node => node is { Op: Rnn rnn }
        && RecurrentInputs.Of(rnn, node.Inputs.Length).InitialStates == 0
        && !graph.Nodes.Any(reader => reader.Inputs.Contains(new Value(node, 1))) && !graph.Outputs.Contains(new Value(node, 1))
        && RecurrentNodes.OwnsWeights(graph, node)), ReferenceEqualityComparer.Instance);
}
