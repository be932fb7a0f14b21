using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training;

/// <summary>A network with its loss and its backward pass, ready to be planned.</summary>
public sealed class TrainingGraph
{
    public const string TargetName = "target";

    private TrainingGraph(DifferentiatedGraph differentiated, Value prediction, Value loss, Value input, Value target)
    {
        Graph = differentiated.Graph;
        Gradients = differentiated.Gradients;
        (Prediction, Loss, Input, Target) = (prediction, loss, input, target);
        ParameterGradients = Graph.Parameters
            .Where(node => ((Parameter)node.Op).Trainable && Gradients.ContainsKey(node.Output))
            .ToDictionary(node => node.Name, node => Gradients[node.Output]);
        StateGradients = Graph.Nodes.Where(node => node.Op is RecurrentGradient)
            .ToDictionary(node => node.Forward!, node => new Value(node, RecurrentGradient.StateOutput));
    }

    /// <summary>Forward pass, loss and backward pass.</summary>
    public Graph Graph { get; }

    /// <summary>Gradient of the loss by each value on its way back.</summary>
    public IReadOnlyDictionary<Value, Value> Gradients { get; }

    /// <summary>Gradients of the trainable parameters by parameter name.</summary>
    public IReadOnlyDictionary<string, Value> ParameterGradients { get; }

    /// <summary>
    /// For each recurrent layer that a gradient reaches, the total gradient of the loss by its state after each time step:
    /// (T, N, units).
    /// </summary>
    public IReadOnlyDictionary<Node, Value> StateGradients { get; }

    public Value Prediction { get; }

    public Value Loss { get; }

    public Value Input { get; }

    public Value Target { get; }

    /// <summary>Classes that a network with this loss tells apart: the columns of its output, 2 for one column.</summary>
    public static int Classes(Graph network)
    {
        Shape shape = network.Output.Shape;
        int columns = shape.Rank == 0 || shape[^1].PerSample ? 1 : shape[^1].Size;
        return Math.Max(2, columns);
    }

    /// <param name="network">The network; its first output is the prediction.</param>
    /// <param name="loss">The loss to attach.</param>
    /// <param name="inputGradient">Whether the gradient by the (real) input is asked for beside the parameters'.</param>
    /// <param name="classWeights">Weights of the classes in the loss; null for none.</param>
    /// <param name="recompute">Whether the backward pass computes most activations again, to save their memory.</param>
    public static TrainingGraph Build(Graph network, Losses.Loss loss, bool inputGradient = false, IReadOnlyList<double>? classWeights = null, bool recompute = false)
    {
        Node[] inputs = [.. network.Inputs];
        if (inputs.Length != 1)
        {
            throw new TrainingException($"the network has {inputs.Length} inputs ({string.Join(", ", inputs.Select(node => node.Name))}); training takes exactly 1");
        }
        GraphBuilder builder = new(network);
        Value target = builder.Input(TargetName, loss.TargetType(network.Output));
        Value scalar = classWeights is null ? loss.Attach(builder, network.Output, target) : loss.Attach(builder, network.Output, target, classWeights);
        Graph forward = builder.Build(network.Output, scalar);
        IEnumerable<Value>? wanted = inputGradient && inputs[0].Outputs[0].Kind == ElementKind.Real
            ? [inputs[0].Output, .. forward.Parameters.Where(node => ((Parameter)node.Op).Trainable).Select(node => node.Output)]
            : null;
        DifferentiatedGraph differentiated = Autodiff.Differentiate(forward, scalar, wanted);
        if (recompute)
        {
            differentiated = Recomputation.Apply(forward, differentiated, [network.Output, scalar]);
        }
        return new TrainingGraph(differentiated, network.Output, scalar, inputs[0].Output, target);
    }
}
