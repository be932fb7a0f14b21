using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>What a run of one node on random inputs has shown.</summary>
/// <param name="Outputs">Moments of each output.</param>
/// <param name="Factors">
/// For each input the mean square of its gradient's elements over that of the output's; for a parameter per sample of
/// the batch.
/// </param>
internal sealed record SampledNode(ImmutableArray<Moments> Outputs, ImmutableArray<double> Factors);

/// <summary>
/// Estimates moments where no rule is known: one node alone, fed with Gaussian inputs of the predicted mean, second
/// moment and correlation between samples, parameters from their initializers, and an unit Gaussian gradient at its
/// output, all run through the op's own kernels in float64.
/// </summary>
internal sealed class NodeSampler
{
    /// <summary>Elements of all tensors together, 256 MiB; the batch is cut down to stay below.</summary>
    private const long MostElements = 1 << 25;

    /// <summary>Draws of weights and data over which the estimate is averaged.</summary>
    private const int MostDraws = 8;

    private readonly Node original;
    private readonly Moments[] moments;
    private readonly PredictionOptions options;
    private readonly GraphBuilder builder = new();
    private readonly Dictionary<Value, Value> inputs = [];
    private readonly Dictionary<Value, Value> upstream = [];

    private NodeSampler(Node node, Moments[] moments, PredictionOptions options)
    {
        original = node;
        this.moments = moments;
        this.options = options;
    }

    public static SampledNode Sample(Node node, Moments[] inputs, PredictionOptions options) => new NodeSampler(node, inputs, options).Run();

    private SampledNode Run()
    {
        Node node = Rebuild();
        DifferentiatedGraph? differentiated = Differentiate(node);
        using NodeRun run = new(differentiated?.Graph ?? builder.Build(Values(node).ToArray()), options, MostElements);
        int draws = (int)Math.Clamp(MostElements / Math.Max(1, run.Elements), 1, MostDraws);
        SampledNode[] samples = new SampledNode[draws];
        for (int draw = 0; draw < draws; draw++)
        {
            run.Fill(Draws(), upstream.Values, draw);
            run.Execute(draw);
            samples[draw] = new SampledNode([.. Values(node).Select(value => run.Measure(value, AxesOf(value)))], [.. original.Inputs.Select(input => Factor(run, differentiated, input))]);
        }
        return Average(samples);
    }

    /// <summary>Means over the draws; of a correlation, through the moments that it is the quotient of.</summary>
    private static SampledNode Average(SampledNode[] samples)
    {
        Moments[] outputs = new Moments[samples[0].Outputs.Length];
        for (int k = 0; k < outputs.Length; k++)
        {
            double second = samples.Average(sample => sample.Outputs[k].SecondMoment);
            double cross = samples.Average(sample => sample.Outputs[k].SecondMoment * sample.Outputs[k].Correlation);
            outputs[k] = new Moments(samples.Average(sample => sample.Outputs[k].Mean), second, second > 0 ? cross / second : 1)
            {
                Positions = samples[0].Outputs[k].Positions?.With(
                    samples.Average(sample => sample.Outputs[k].CorrelationOf(MomentPair.Positions)),
                    samples.Average(sample => sample.Outputs[k].CorrelationOf(MomentPair.Both))).Flattened(),
            };
        }
        double[] factors = new double[samples[0].Factors.Length];
        for (int i = 0; i < factors.Length; i++)
        {
            factors[i] = samples.Average(sample => sample.Factors[i]);
        }
        return new SampledNode([.. outputs], [.. factors]);
    }

    /// <summary>The node alone, its inputs cut off; a value that enters it twice stays one value.</summary>
    private Node Rebuild()
    {
        for (int i = 0; i < original.Inputs.Length; i++)
        {
            Value input = original.Inputs[i];
            if (!inputs.ContainsKey(input))
            {
                string name = $"⟨input {i}⟩";
                inputs[input] = input.Node.Op is Source and not Input
                    ? builder.Add(name, input.Node.Op, [])
                    : builder.Input(name, input.Type);
            }
        }
        return builder.Add(original.Name, original.Op, [.. original.Inputs.Select(input => inputs[input])]).Node;
    }

    /// <summary>An output of the rank of an input with positions has them on the same axes.</summary>
    private ImmutableArray<int> AxesOf(Value output)
    {
        for (int i = 0; i < moments.Length; i++)
        {
            if (moments[i].Positions is { } positions && original.Inputs[i].Shape.Rank == output.Shape.Rank && output.Shape[0] is { PerSample: true, Size: 1 })
            {
                return positions.Axes;
            }
        }
        return [];
    }

    private DifferentiatedGraph? Differentiate(Node node)
    {
        foreach (Value output in Values(node).Where(output => output.Type.Kind == ElementKind.Real && original.Op.Updates.All(update => update.Output != output.Index)))
        {
            upstream[output] = builder.Input($"⟨upstream {output.Index}⟩", output.Type);
        }
        Graph graph = builder.Build([.. Values(node)]);
        try
        {
            IEnumerable<Value> wanted = inputs.Values.Where(value => value.Type.Kind == ElementKind.Real && value.Node.Op is not Constant);
            return Autodiff.Differentiate(graph, upstream, wanted);
        }
        catch (GraphException)
        {
            // An op without a gradient passes none on.
            return null;
        }
    }

    private IEnumerable<(Value Value, Moments Moments, int Vocabulary)> Draws()
    {
        int vocabulary = (int)(original.Parameters.FirstOrDefault()?.Outputs[0].Shape[0].Size ?? 2);
        for (int i = 0; i < original.Inputs.Length; i++)
        {
            yield return (inputs[original.Inputs[i]], moments[i], vocabulary);
        }
    }

    private double Factor(NodeRun run, DifferentiatedGraph? differentiated, Value input)
    {
        Value own = inputs[input];
        if (own.Type.Kind != ElementKind.Real || own.Node.Op is Constant)
        {
            return double.NaN;
        }
        if (differentiated is null || !differentiated.Gradients.TryGetValue(own, out Value gradient))
        {
            return 0;
        }
        double square = run.MeanSquare(gradient);
        return own.Shape.HasBatch ? square : square / run.Batch;
    }

    private static IEnumerable<Value> Values(Node node) => Enumerable.Range(0, node.Outputs.Length).Select(k => new Value(node, k));
}
