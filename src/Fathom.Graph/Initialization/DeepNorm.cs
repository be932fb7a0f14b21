using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Initialization;

/// <summary>
/// DeepNorm (Wang et al. 2022, figure 2) for transformers with the normalisation behind the residual connection: x ←
/// norm(α·x + G(x)), and Xavier weights with the gain β in each branch G, but 1 for the projections to queries and keys.
/// For encoders or decoders alone α = (2N)^¼ and β = (8N)^−¼, where N blocks have 2N branches.
/// </summary>
/// <param name="Alpha">Factor on the shortcut in place of (2N)^¼; greater than 0.</param>
/// <param name="Beta">Gain in place of (8N)^−¼; greater than 0.</param>
public sealed record DeepNorm(double? Alpha = null, double? Beta = null) : InitializationRule
{
    /// <summary>Nodes without weights that may lie between a projection and its attention.</summary>
    private const int MostBetween = 8;

    public override string Kind => "deepnorm";

    /// <summary>α = (2N)^¼ and β = (8N)^−¼ for a number of branches, 2N.</summary>
    public static (double Alpha, double Beta) Factors(int branches) => (Math.Pow(branches, 0.25), Math.Pow(4.0 * branches, -0.25));

    public override Graph Apply(Graph graph)
    {
        Require("alpha", Alpha);
        Require("beta", Beta);
        LayerReaders readers = new(graph);
        ResidualBranch[] branches = [.. ResidualBranch.Of(graph).Where(branch => readers.Of(branch.Add.Output) is [{ Op: LayerNorm or RmsNorm }])];
        if (branches.Length == 0)
        {
            throw Error("the network has no residual connection that a layer_norm or rms_norm alone reads; it is for transformers with the normalisation behind the add (post-norm)");
        }
        (double alpha, double beta) = Factors(branches.Length);
        (alpha, beta) = (Alpha ?? alpha, Beta ?? beta);
        HashSet<Node> inBranch = [.. branches.SelectMany(branch => branch.Nodes)];
        Dictionary<Node, int> shortcuts = branches.ToDictionary(branch => branch.Add, branch => 1 - branch.Input);
        // A block may have a factor on its shortcut already.
        HashSet<Node> scaled = [.. shortcuts.Select(pair => pair.Key.Inputs[pair.Value].Node).Where(node => node.Op is Rescaling && readers.Of(node.Output).Count == 1)];
        return GraphRewriter.Rewrite(graph, (rewriter, node) =>
        {
            if (node.Op is Rescaling && scaled.Contains(node))
            {
                return rewriter.Copy(node, new Rescaling(alpha));
            }
            if (shortcuts.TryGetValue(node, out int shortcut) && !scaled.Contains(node.Inputs[shortcut].Node))
            {
                Value[] inputs = [.. node.Inputs.Select(rewriter.Mapped)];
                inputs[shortcut] = rewriter.Builder.Layer(new Rescaling(alpha), rewriter.Builder.FreeName($"{node.Name}.alpha"), [inputs[shortcut]]);
                return rewriter.Copy(node, inputs: inputs);
            }
            bool hasWeights = inBranch.Contains(node) && node.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank >= 2);
            double gain = IsQueryOrKey(node, readers) ? 1 : beta;
            return hasWeights ? rewriter.Copy(node, initializer: (slot, old) => Start(slot, old, gain)) : null;
        });
    }

    /// <summary>Slot names are those of dense layers and of attention nodes, which are PyTorch's.</summary>
    private static Initializer Start(string slot, Initializer old, double gain) => slot switch
    {
        "in_proj_weight" => new QueryKeyValueXavier(gain),
        "q_proj_weight" or "k_proj_weight" => VarianceScaling.XavierNormal,
        WeightLayers.Weight or "v_proj_weight" or "out_proj.weight" => VarianceScaling.XavierNormal with { Scale = gain * gain },
        WeightLayers.Bias or "in_proj_bias" or "out_proj.bias" => ConstantInitializer.Zeros,
        _ => old,
    };

    /// <summary>Whether a layer's output becomes the first or second input of an attention, as queries and keys are.</summary>
    private static bool IsQueryOrKey(Node layer, LayerReaders readers)
    {
        Node at = layer;
        for (int between = 0; between < MostBetween && readers.Of(at.Output) is [{ } reader]; between++)
        {
            if (reader.Op.Kind == "scaled_dot_product_attention")
            {
                return reader.Inputs.Take(2).Any(input => ReferenceEquals(input.Node, at));
            }
            at = reader;
        }
        return false;
    }

    private void Require(string setting, double? value)
    {
        if (value is { } given && !(given > 0 && double.IsFinite(given)))
        {
            throw Error(FormattableString.Invariant($"{setting} is {given}; it must be greater than 0 and finite"));
        }
    }
}
