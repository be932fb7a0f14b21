using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Graphs;

namespace Fathom.Theory;

/// <summary>
/// Sums that an activation reads and that are not Gaussian, since a term is an activation's own output: ReLU(ReLU(u) + v), as in
/// the first residual networks (He et al. 2016). Their distribution is carried along the stream by draws.
/// </summary>
/// <param name="merge">Knows what a value is made of.</param>
/// <param name="forward">Moments of a value.</param>
/// <param name="seed">Seed of the draws.</param>
internal sealed class ResidualStreams(ElementwiseMerge merge, Func<Value, Moments> forward, ulong seed)
{
    /// <summary>Streams that are remembered; a skip connection over more blocks finds its start Gaussian.</summary>
    private const int MostKept = 32;

    private readonly Dictionary<Value, Population> kept = [];
    private readonly Queue<Value> order = [];

    /// <summary>Draws of what an activation reads; null if that may be taken as Gaussian.</summary>
    public Population? Below(Node activation)
    {
        ImmutableArray<(Value Leaf, ElementwiseFunction Function)> terms = merge.TermsOf(activation.Inputs[0]);
        if (!terms.Any(term => term.Function.Line is null || kept.ContainsKey(term.Leaf)) || (terms.Length == 1 && !kept.ContainsKey(terms[0].Leaf)))
        {
            return null;
        }
        Population? sum = null;
        foreach ((Value leaf, ElementwiseFunction function) in terms)
        {
            Population term = Draws(leaf).Under(function.Evaluate);
            sum = sum is null ? term : sum.Plus(term);
        }
        return sum;
    }

    /// <summary>Remembers the draws of a node's output.</summary>
    public void Keep(Node node, Population population)
    {
        if (order.Count >= MostKept)
        {
            kept.Remove(order.Dequeue());
        }
        kept[node.Output] = population;
        order.Enqueue(node.Output);
    }

    /// <summary>Draws of a leaf, the same every time.</summary>
    public Population Draws(Value leaf) =>
        kept.TryGetValue(leaf, out Population? known) ? known : Population.Gaussian(forward(leaf), new RandomKey(seed, RandomKey.StreamOf(leaf.Name), 0));
}
