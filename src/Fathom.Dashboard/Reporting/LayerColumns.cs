using Fathom.Runs;

namespace Fathom.Dashboard.Reporting;

/// <summary>Where a layer's tensors are among a run's columns; −1 where there is none.</summary>
internal sealed record LayerColumns(string Name, string Op, int Depth, int OutputGradient, int WeightGradient, int Weight, int Update)
{
    // Their parameters scale or shift single units.
    private static readonly string[] OwnScalesOnly = ["norm", "prelu"];

    // Nodes that may follow a layer without being its activation.
    private static readonly string[] NotActivations = ["norm", "dropout", "add", "concat", "pool", "reshape", "flatten", "scale", "identity"];

    /// <summary>The function that reads the layer; −1 where there is none.</summary>
    public int Activation { get; private init; } = -1;

    /// <summary>
    /// The layers with weights, from the input to the output. Normalisations and PReLU own parameters too, but are no layers. A
    /// run without parameters (another program's log, say) has a layer for every node whose gradient was recorded.
    /// </summary>
    public static IReadOnlyList<LayerColumns> Find(IReadOnlyList<TensorColumn> columns)
    {
        (TensorColumn Column, int Index)[] all = [.. columns.Select((column, index) => (column, index))];
        LayerColumns[] nodes =
        [
            .. all.GroupBy(one => one.Column.Node).Select(node =>
            {
                TensorColumn first = node.First().Column;
                int weight = Largest(node, TensorRole.Parameter);
                return new LayerColumns(
                    node.Key, first.Op, first.Depth,
                    Largest(node, TensorRole.ActivationGradient), Largest(node, TensorRole.ParameterGradient), weight, Largest(node, TensorRole.ParameterUpdate))
                {
                    Activation = Largest(node, TensorRole.Activation),
                };
            }),
        ];
        bool parametersKnown = nodes.Any(node => node.WeightGradient >= 0 && !HasNoWeights(node));
        bool[] isLayer = [.. nodes.Select(node => parametersKnown ? node.WeightGradient >= 0 && !HasNoWeights(node) : node.OutputGradient >= 0)];
        return
        [
            .. nodes.Select((node, index) => node with { Activation = ActivationOf(nodes, isLayer, index) })
                .Where((_, index) => isLayer[index])
                .OrderBy(node => node.Depth),
        ];
    }

    private static int Largest(IEnumerable<(TensorColumn Column, int Index)> columns, TensorRole role) =>
        columns.Where(one => one.Column.Role == role).OrderByDescending(one => one.Column.Count).Select(one => one.Index).DefaultIfEmpty(-1).First();

    private static bool HasNoWeights(LayerColumns node) => OwnScalesOnly.Any(word => node.Op.Contains(word, StringComparison.OrdinalIgnoreCase));

    /// <summary>The first function behind the layer, before the next one; the layer's own output if nothing is between.</summary>
    private static int ActivationOf(LayerColumns[] nodes, bool[] isLayer, int layer)
    {
        for (int i = layer + 1; i < nodes.Length && !isLayer[i]; i++)
        {
            if (nodes[i].Activation >= 0 && nodes[i].Depth == nodes[layer].Depth && !NotActivations.Any(word => nodes[i].Op.Contains(word, StringComparison.OrdinalIgnoreCase)))
            {
                return nodes[i].Activation;
            }
        }

        return nodes[layer].Activation;
    }
}
