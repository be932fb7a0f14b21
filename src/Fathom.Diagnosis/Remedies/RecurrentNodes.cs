using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Remedies;

/// <summary>What remedies look for in recurrent layers.</summary>
internal static class RecurrentNodes
{
    /// <summary>The slots of a recurrent layer, as PyTorch names them.</summary>
    public const string InputWeight = "weight_ih", StateWeight = "weight_hh", Bias = "bias_ih", StateBias = "bias_hh";

    public static IEnumerable<Node> Of(Graph graph) => graph.Nodes.Where(node => node.Op is RecurrentLayer);

    /// <summary>Steps of the sequence that a layer reads.</summary>
    public static int Steps(Node layer) => layer.Inputs[0].Shape[1].Size;

    /// <summary>The initializer that a layer of its own would take for a slot; null if it has none of that name.</summary>
    public static Initializer? Default(Node layer, RecurrentLayer op, string slot) =>
        op.Slots([layer.Inputs[0].Type]).FirstOrDefault(own => own.Name == slot)?.Initializer;

    /// <summary>Whether a layer's weights can be changed for it alone: no other layer reads them.</summary>
    public static bool OwnsWeights(Graph graph, Node layer) => layer.Parameters.All(parameter => HiddenLayers.Readers(graph, parameter).Count() == 1);
}
