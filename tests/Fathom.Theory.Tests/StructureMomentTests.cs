using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>The moment rules of residual scales, gates, noise and standardized weights against runs of their kernels.</summary>
public sealed class StructureMomentTests
{
    private static readonly Moments[] Arriving = [new Moments(0.4, 1.3, 0.5), new Moments(-0.2, 0.8, 0.3), new Moments(0.1, 2.1, 0.7)];

    public static TheoryData<Op, int> All => new()
    {
        { new Dense(300, true, WeightStandardization.Standard), 1 },
        { new Dense(300, false, WeightStandardization.Scaled), 1 },
        { new GatedSum(), 3 },
        { new Subtract(), 2 },
        { new Average(), 3 },
        { new Rescaling(-1.5, 0.5), 1 },
        { new Scale(0.3), 1 },
        { new Scale(0.3, Axis: -1), 1 },
        { new AlphaDropout(0.2), 1 },
        { new GaussianDropout(0.4), 1 },
        { new GaussianNoise(0.7), 1 },
    };

    [Xunit.Theory]
    [MemberData(nameof(All))]
    public void RulesAgreeWithTheKernels(Op op, int inputs)
    {
        NetworkCursor start = Network.Input(300);
        NetworkCursor[] others = [.. Enumerable.Range(1, inputs - 1).Select(i => start.Sigmoid($"other{i}"))];
        Dictionary<string, Initializer> initializers = op is Dense ? new() { ["weight"] = new NormalInitializer(0.1, 0.3) } : [];
        Node node = start.Then(op, "a", initializers, others).Build()["a"];
        Moments[] all = [.. node.Inputs.Select((value, i) => value.Node.Op is Parameter parameter ? Of(parameter) : Arriving[i])];
        SampledNode sampled = NodeSampler.Sample(node, all, PredictionOptions.Default);
        MomentScope scope = new(node, all);
        Moments expected = op.Moments!.Forward(scope);
        Assert.Equal(expected.Mean, sampled.Outputs[0].Mean, 0.05 * Math.Sqrt(expected.SecondMoment));
        Assert.InRange(sampled.Outputs[0].SecondMoment / expected.SecondMoment, 0.9, 1.1);
        Assert.Equal(expected.Correlation, sampled.Outputs[0].Correlation, 0.06);
        for (int i = 0; i < inputs; i++)
        {
            Assert.InRange(sampled.Factors[i] / op.Moments.Backward(scope, i), 0.9, 1.1);
        }
    }

    private static Moments Of(Parameter parameter)
    {
        double mean = parameter.Initializer.Mean;
        return new Moments(mean, mean * mean + parameter.Initializer.Variance(Fans.Of(parameter.Shape)), 1);
    }
}
