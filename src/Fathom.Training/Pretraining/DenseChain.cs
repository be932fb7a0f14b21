using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Pretraining;

/// <summary>A hidden layer that can be pre-trained.</summary>
/// <param name="Layer">The dense layer.</param>
/// <param name="Activation">The function that reads it.</param>
/// <param name="Weight">Name of its weight, of shape (units, in).</param>
/// <param name="Bias">Name of its bias, of shape (units); null if it has none.</param>
/// <param name="Inputs">Numbers that enter.</param>
/// <param name="Units">Numbers that leave.</param>
internal sealed record ChainLayer(Node Layer, Activation Activation, string Weight, string? Bias, int Inputs, int Units);

/// <summary>Finds the chain of dense layers from a network's input to its output.</summary>
internal static class DenseChain
{
    /// <summary>
    /// The hidden layers in order. The last dense layer is the output layer, which is left to fine-tuning. Dropout, noise and
    /// reshaping in between change nothing here.
    /// </summary>
    /// <exception cref="TrainingException">The network is no such chain; one line that names the node at which it ends.</exception>
    public static IReadOnlyList<ChainLayer> Of(Graph graph)
    {
        LayerReaders readers = new(graph);
        List<ChainLayer> layers = [];
        Node? dense = null;
        Value at = graph.Inputs.First().Output;
        while (at != graph.Output)
        {
            if (readers.Of(at) is not [{ } next])
            {
                throw Error(at.Node, $"is read by {readers.Of(at).Count} layers");
            }
            switch (next.Op)
            {
                case Dense when next.Inputs[0] == at && at.Shape.Rank == 2:
                    if (dense is not null)
                    {
                        throw Error(dense, "is read by no activation, and it is not the last layer");
                    }
                    dense = next;
                    break;
                case Activation activation when dense is not null:
                    layers.Add(Layer(dense, activation));
                    dense = null;
                    break;
                case DropoutOp or GaussianNoise or { IsView: true }:
                    break;
                case Softmax or LogSoftmax when next.Output == graph.Output:
                    break;
                default:
                    throw Error(next, next.Op is Dense ? $"reads rows of shape {at.Shape}, not vectors" : "is neither a dense layer nor its activation");
            }
            at = next.Output;
        }
        if (dense is null && layers.Count > 0)
        {
            layers.RemoveAt(layers.Count - 1); // an output layer with an activation
        }
        return layers.Count > 0 ? layers : throw new TrainingException("pretraining: the network has no hidden dense layer to train; it needs one with an activation before the output layer");
    }

    private static ChainLayer Layer(Node dense, Activation activation)
    {
        Node[] parameters = [.. dense.Parameters];
        if (parameters.Length != dense.Inputs.Length - 1)
        {
            throw Error(dense, "does not read its weight from a parameter");
        }
        if (parameters.FirstOrDefault(parameter => !((Parameter)parameter.Op).Trainable) is { } frozen)
        {
            throw Error(dense, $"has the frozen parameter {frozen.Name}");
        }
        return new ChainLayer(dense, activation, parameters[0].Name, parameters.Length > 1 ? parameters[1].Name : null,
            parameters[0].Outputs[0].Shape[1].Size, parameters[0].Outputs[0].Shape[0].Size);
    }

    private static TrainingException Error(Node node, string problem) =>
        new($"pretraining: {node.Name} ({node.Op.Kind}) {problem}; it takes a chain of dense layers with an activation each, from the input to the output layer");
}
