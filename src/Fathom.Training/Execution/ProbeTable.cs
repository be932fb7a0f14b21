using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Execution;

/// <summary>
/// Decides what is watched: every activation, every activation's gradient, every parameter, its gradient and its update;
/// and for a recurrent layer the gradient of its state at every time step.
/// </summary>
public static class ProbeTable
{
    public static IReadOnlyList<Probe> For(Graph network, TrainingGraph training)
    {
        Dictionary<Node, int> depths = Depths(network);
        List<Probe> probes = [];
        HashSet<Node> seen = new(ReferenceEqualityComparer.Instance);
        foreach (Node node in network.Nodes.Where(node => node.Op is not Source && node.Outputs[0].Kind == ElementKind.Real))
        {
            probes.Add(new Probe(node, node, ProbeKind.Activation, node.Output, depths[node]));
            if (GradientOf(node, training) is { } gradient)
            {
                probes.Add(new Probe(node, node, ProbeKind.ActivationGradient, gradient, depths[node]));
            }
            if (training.StateGradients.TryGetValue(node, out Value states))
            {
                probes.AddRange(Enumerable.Range(0, states.Shape[0].Size)
                    .Select(step => new Probe(node, node, ProbeKind.StateGradient, states, depths[node]) { TimeStep = step }));
            }
            foreach (Node parameter in node.Parameters.Where(parameter => training.ParameterGradients.ContainsKey(parameter.Name)))
            {
                if (!seen.Add(parameter))
                {
                    continue; // shared with an earlier layer
                }
                probes.Add(new Probe(parameter, node, ProbeKind.Parameter, null, depths[node]));
                probes.Add(new Probe(parameter, node, ProbeKind.ParameterGradient, training.ParameterGradients[parameter.Name], depths[node]));
                probes.Add(new Probe(parameter, node, ProbeKind.ParameterUpdate, null, depths[node]));
            }
        }
        return probes;
    }

    /// <summary>
    /// The gradient by a layer's output; if nothing reads that one, by the first that is read, such as the last state of a
    /// recurrent layer.
    /// </summary>
    private static Value? GradientOf(Node node, TrainingGraph training)
    {
        for (int output = 0; output < node.Outputs.Length; output++)
        {
            if (training.Gradients.TryGetValue(new Value(node, output), out Value gradient))
            {
                return gradient;
            }
        }
        return null;
    }

    /// <summary>Layers with a weight matrix or kernel on the longest path from the input, the node itself included.</summary>
    public static Dictionary<Node, int> Depths(Graph network)
    {
        Dictionary<Node, int> depths = new(ReferenceEqualityComparer.Instance);
        foreach (Node node in network.Nodes)
        {
            int before = node.Inputs.Length == 0 ? 0 : node.Inputs.Max(input => depths[input.Node]);
            bool weighted = node.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank >= 2);
            depths[node] = before + (weighted ? 1 : 0);
        }
        return depths;
    }
}
