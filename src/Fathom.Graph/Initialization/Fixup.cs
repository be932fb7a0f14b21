using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Initialization;

/// <summary>
/// Fixup (Zhang, Dauphin and Ma 2019, section 3): a start from which residual networks train without normalisation,
/// because the L branches together change the output as much as one would. The last weight of each branch and of the
/// network starts at 0, the other m − 1 weights of a branch at He's, times L^(−1/(2m−2)), all others at He's. Each branch
/// ends in a learnt number that starts at 1 (<see cref="Scale"/>); in front of each weight and activation that does not
/// read a bias already comes one that starts at 0 (<see cref="Shift"/>).
/// </summary>
public sealed record Fixup : InitializationRule
{
    public override string Kind => "fixup";

    public override Graph Apply(Graph graph)
    {
        ResidualBranch[] branches = [.. ResidualBranch.Of(graph).Where(branch => branch.WeightLayers.Count > 0)];
        if (branches.Length == 0)
        {
            throw Error("the network has no residual branch, that is an add which puts dense layers or convolutions on top of what they read; for a chain take critical or lsuv");
        }
        Dictionary<Node, double> factors = new(ReferenceEqualityComparer.Instance);
        foreach (ResidualBranch branch in branches)
        {
            int m = branch.WeightLayers.Count;
            for (int i = 0; i < m; i++)
            {
                factors[branch.WeightLayers[i]] = i == m - 1 ? 0 : Math.Pow(branches.Length, -1.0 / (2 * m - 2));
            }
        }
        if (graph.Nodes.LastOrDefault(node => WeightLayers.WeightOf(node) is not null) is { } last)
        {
            factors[last] = 0;
        }
        LayerReaders readers = new(graph);
        Dictionary<Node, int> ends = branches.ToDictionary(branch => branch.Add, branch => branch.Input);
        return GraphRewriter.Rewrite(graph, (rewriter, node) =>
        {
            if (WeightLayers.WeightOf(node) is not null)
            {
                Initializer weight = Weight(factors.GetValueOrDefault(node, 1), readers.ActivationAfter(node)?.Op as Activation);
                return rewriter.Copy(node, inputs: [Shifted(rewriter, node)], initializer: (slot, old) => slot switch
                {
                    WeightLayers.Weight => weight,
                    WeightLayers.Bias => ConstantInitializer.Zeros,
                    _ => old,
                });
            }
            if (node.Op is Activation and not Linear)
            {
                return rewriter.Copy(node, inputs: [Shifted(rewriter, node)]);
            }
            if (!ends.TryGetValue(node, out int end))
            {
                return null;
            }
            Value[] inputs = [.. node.Inputs.Select(rewriter.Mapped)];
            inputs[end] = rewriter.Builder.Layer(new Scale(), rewriter.Builder.FreeName($"{node.Name}.scale"), [inputs[end]]);
            return rewriter.Copy(node, inputs: inputs);
        });
    }

    /// <summary>The input of a layer with one number added, unless it comes from the data or from a layer's own bias.</summary>
    private static Value Shifted(GraphRewriter rewriter, Node node)
    {
        Node source = node.DataInputs.First().Node;
        Value input = rewriter.Mapped(node.DataInputs.First());
        return source.Op is Input or Shift || WeightLayers.HasBias(source)
            ? input
            : rewriter.Builder.Layer(new Shift(), rewriter.Builder.FreeName($"{node.Name}.shift"), [input]);
    }

    private static Initializer Weight(double factor, Activation? reader)
    {
        if (factor == 0)
        {
            return ConstantInitializer.Zeros;
        }
        double gain = factor * (reader?.RecommendedWeightGain ?? 1);
        return new VarianceScaling(Math.Round(gain * gain, 12), FanMode.In, WeightDistribution.Normal);
    }
}
