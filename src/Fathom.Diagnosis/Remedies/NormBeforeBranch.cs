using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initialization;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Moves the normalization of each residual block from behind the sum to the beginning of the branch, norm(x + F(x)) → x +
/// F(norm(x)), with one normalization left at the end.
/// </summary>
public sealed class NormBeforeBranch : Remedy
{
    private const int FewestBranches = 2;

    public override string Kind => "pre_norm";

    public override Safety Safety => Safety.ChangesStructure;

    public override string Precondition => "two residual branches or more whose sum a layer or RMS normalization alone reads (post-norm)";

    public override string Effect => "nothing stands on the identity path any more, so that the gradient reaches the first block whole; behind the sum each normalization divides it by √2";

    public override string Source => "Xiong et al. 2020";

    protected override ImmutableArray<string>? MadeFor => [Causes.Vanishing, Causes.LearningRateTooLarge, Causes.Exploding];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (PostNorm(model.Graph).Count >= FewestBranches)
        {
            yield return new Prescription(this, "normalization at the beginning of each residual branch (pre-norm)", Rewrite);
        }
    }

    private static ModelDefinition Rewrite(ModelDefinition model)
    {
        List<(ResidualBranch Branch, Node Norm)> blocks = PostNorm(model.Graph);
        HashSet<Node> moved = new(ReferenceEqualityComparer.Instance);
        Dictionary<Node, (Value Shortcut, Node Norm)> readers = new(ReferenceEqualityComparer.Instance);
        HashSet<Value> shortcuts = [.. blocks.Select(block => Shortcut(block.Branch))];
        foreach ((ResidualBranch branch, Node norm) in blocks)
        {
            if (shortcuts.Contains(norm.Output))
            {
                moved.Add(norm); // the last one stays, for what reads the blocks
            }
            foreach (Node node in branch.Nodes.Where(node => node.Inputs.Contains(Shortcut(branch))))
            {
                readers[node] = (Shortcut(branch), norm);
            }
        }
        Dictionary<Node, Value> norms = new(ReferenceEqualityComparer.Instance);
        return model with
        {
            Graph = GraphRewriter.Rewrite(model.Graph, (rewriter, node) =>
            {
                if (moved.Contains(node))
                {
                    return rewriter.Mapped(node.Inputs[0]);
                }
                if (!readers.TryGetValue(node, out (Value Shortcut, Node Norm) read))
                {
                    return null;
                }
                if (!norms.TryGetValue(read.Norm, out Value norm))
                {
                    string name = moved.Contains(read.Norm) ? read.Norm.Name : HiddenLayers.FreeName(rewriter, model.Graph, read.Norm.Name + "_pre");
                    norms[read.Norm] = norm = rewriter.Builder.Layer(read.Norm.Op, name, [rewriter.Mapped(read.Shortcut)]);
                }
                return HiddenLayers.Rewired(rewriter, node, value => value == read.Shortcut ? norm : null);
            }),
        };
    }

    private static Value Shortcut(ResidualBranch branch) => branch.Add.Inputs[1 - branch.Input];

    private static List<(ResidualBranch Branch, Node Norm)> PostNorm(Graph graph)
    {
        LayerReaders readers = new(graph);
        return [.. ResidualBranch.Of(graph)
            .Where(branch => readers.Of(branch.Add.Output) is [{ Op: LayerNorm or RmsNorm }] && branch.Nodes.Any(node => node.Inputs.Contains(Shortcut(branch))))
            .Select(branch => (branch, readers.Of(branch.Add.Output)[0]))];
    }
}
