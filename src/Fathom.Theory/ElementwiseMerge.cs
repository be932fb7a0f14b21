using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>A function of one value that adds to another.</summary>
/// <param name="Leaf">The value.</param>
/// <param name="Function">The function.</param>
/// <param name="Moments">Its integrals; null if it is a straight line.</param>
internal sealed record MergedTerm(Value Leaf, ElementwiseFunction Function, ActivationMoments? Moments);

/// <summary>
/// Finds where a value meets itself: x + x, x + ReLU(x), x·σ(x), or a skip connection around a sum that contains its start. There
/// the terms are not independent, and the contributions to the gradient add up with their signs. Each value that comes from
/// elementwise nodes is kept as a sum of functions of the values in front of them (its leaves); a leaf that enters a node twice
/// makes one function. An activation of an activation is such a function too.
/// </summary>
/// <param name="integrate">Integrates a function over a leaf.</param>
internal sealed class ElementwiseMerge(Func<Activation, Value, ActivationMoments> integrate)
{
    /// <summary>A sum of more terms, such as the stream of a deep residual network, is a leaf of its own.</summary>
    private const int MostTerms = 32;

    private readonly Dictionary<Value, ImmutableArray<(Value Leaf, ElementwiseFunction Function)>> known = [];

    /// <summary>What a value is made of: itself, if it is a leaf.</summary>
    public ImmutableArray<(Value Leaf, ElementwiseFunction Function)> TermsOf(Value value) =>
        known.TryGetValue(value, out ImmutableArray<(Value, ElementwiseFunction)> terms) ? terms : [(value, ElementwiseFunction.Identity)];

    /// <summary>Whether a value is a function of others, not a leaf.</summary>
    public bool IsInner(Value value) => known.ContainsKey(value);

    /// <summary>The terms of a node's output if that differs from what the node's own rule assumes; else none. Remembers them.</summary>
    public ImmutableArray<MergedTerm> Of(Node node)
    {
        if (node.Op is not (Activation or Add or Subtract or Average or Multiply or GatedSum or Rescaling) || node.Outputs[0].Kind != ElementKind.Real)
        {
            return [];
        }
        ImmutableArray<(Value Leaf, ElementwiseFunction Function)>[] inputs = [.. node.Inputs.Select(TermsOf)];
        if (node.Op is Activation && inputs[0].Length > 1)
        {
            inputs[0] = [(node.Inputs[0], ElementwiseFunction.Identity)]; // the sum is a value of its own
        }
        if (Combined(node.Op, inputs) is not { } terms || terms.Length > MostTerms)
        {
            return [];
        }
        known[node.Output] = terms;
        bool meets = node.Op is Activation
            ? inputs[0][0].Function.Line is null
            : inputs.SelectMany(input => input.Select(term => term.Leaf)).GroupBy(leaf => leaf).Any(group => group.Count() > 1);
        return meets ? [.. terms.Select(term => new MergedTerm(term.Leaf, term.Function, term.Function.Line is null ? integrate(term.Function, term.Leaf) : null))] : [];
    }

    /// <summary>Moments of a sum of functions of independent leaves.</summary>
    public static Moments Forward(ImmutableArray<MergedTerm> terms, Func<Value, Moments> leaf)
    {
        Moments[] parts = [.. terms.Select(term => Forward(term, leaf(term.Leaf)))];
        double mean = parts.Sum(part => part.Mean);
        return Moments.Of(mean, parts.Sum(part => part.SecondMoment - part.Mean * part.Mean) + mean * mean, parts[0].Positions,
            pair => parts.Sum(part => part.Product(pair) - part.Mean * part.Mean) + mean * mean);
    }

    /// <summary>The gradient at a leaf, in units of that at the sum.</summary>
    public static Moments Backward(MergedTerm term, Moments upstream)
    {
        if (term.Moments is not { } moments)
        {
            double square = term.Function.Line!.Value.Factor * term.Function.Line.Value.Factor;
            return upstream with { SecondMoment = square };
        }
        return Moments.Of(0, moments.SlopeMoment, upstream.Positions, pair => upstream.CorrelationOf(pair) * moments.SlopeProduct(pair));
    }

    private static Moments Forward(MergedTerm term, Moments x)
    {
        if (term.Moments is { } moments)
        {
            return moments.ForwardOf(x.Positions);
        }
        (double factor, double offset) = term.Function.Line!.Value;
        double added = 2 * factor * offset * x.Mean + offset * offset;
        return x.With(factor * x.Mean + offset, factor * factor * x.SecondMoment + added, pair => factor * factor * x.Product(pair) + added);
    }

    private static ImmutableArray<(Value Leaf, ElementwiseFunction Function)>? Combined(Op op, ImmutableArray<(Value Leaf, ElementwiseFunction Function)>[] inputs)
    {
        switch (op)
        {
            case Linear:
                return inputs[0];
            case Activation activation when inputs is [[var only]]:
                return [(only.Leaf, ElementwiseFunction.Applied(activation, only.Function))];
            case Rescaling rescaling:
                return [.. inputs[0].Select((term, i) => (term.Leaf, term.Function.Scaled(rescaling.Factor, i == 0 ? rescaling.Offset : 0)))];
            case Add:
                return Sum(inputs);
            case Subtract:
                return Sum([inputs[0], [.. inputs[1].Select(term => (term.Leaf, term.Function.Scaled(-1, 0)))]]);
            case Average:
                return [.. Sum(inputs).Select(term => (term.Leaf, term.Function.Scaled(1.0 / inputs.Length, 0)))];
            case Multiply when inputs is [[var a], [var b]] && a.Leaf == b.Leaf:
                return [(a.Leaf, ElementwiseFunction.Product(a.Function, b.Function))];
            case GatedSum when inputs is [[var gate], [var layer], [var x]] && gate.Leaf == layer.Leaf && gate.Leaf == x.Leaf:
                ElementwiseFunction open = ElementwiseFunction.Product(gate.Function, layer.Function);
                return [(gate.Leaf, ElementwiseFunction.Sum(open, ElementwiseFunction.Product(gate.Function.Scaled(-1, 1), x.Function)))];
            default:
                return null;
        }
    }

    private static ImmutableArray<(Value Leaf, ElementwiseFunction Function)> Sum(ImmutableArray<(Value Leaf, ElementwiseFunction Function)>[] inputs) =>
        [.. inputs.SelectMany(input => input).GroupBy(term => term.Leaf).Select(group => (group.Key, group.Select(term => term.Function).Aggregate(ElementwiseFunction.Sum)))];
}
