using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>The moment rule of convolutions against a run of their kernels.</summary>
public sealed class ConvolutionMomentTests
{
    public static TheoryData<ConvolutionOp, int[]> Cases => new()
    {
        { new Conv2d(24, 3, Padding: Padding.Same), [12, 9, 8] },
        { new Conv2d(24, 3, 2, 1), [12, 9, 8] },
        { new Conv2d(24, 5, 1, Padding.Same), [16, 4, 4] },
        { new Conv2d(24, 3, 1, Padding.Same, default, 4), [16, 6, 6] },
        { new Conv2d(20, 2, 3, 0, 2, ChannelsLast: true), [11, 10, 12] },
        { new DepthwiseConv2d(3, 2, 1, Padding.Same), [40, 6, 6] },
        { new Conv1d(30, 4, 2, Padding.Same), [24, 19] },
        { new Conv2d(24, 3, 1, Padding.Same, WeightStandardization: WeightStandardization.Scaled), [16, 6, 6] },
        { new Conv2d(24, 3, 2, WeightStandardization: WeightStandardization.Standard), [16, 7, 6] },
    };

    [Xunit.Theory]
    [MemberData(nameof(Cases))]
    public void The_rule_agrees_with_the_kernel(ConvolutionOp op, int[] input)
    {
        Moments x = new(0.4, 1.3, 0.5);
        Dictionary<string, Initializer> initializers = new() { ["weight"] = VarianceScaling.HeNormal, ["bias"] = new NormalInitializer(0, 0.2) };
        Node node = Network.Input(input).Then(op, "c", initializers).Build()["c"];
        MomentScope scope = new(node, [x, .. node.Parameters.Select(OfInitializer)]);
        SampledNode sampled = NodeSampler.Sample(node, scope.Inputs, new PredictionOptions { Samples = 64 });
        Moments rule = op.Moments!.Forward(scope);
        Assert.Equal(rule.Mean, sampled.Outputs[0].Mean, 0.1 * Math.Sqrt(rule.SecondMoment));
        Assert.InRange(rule.SecondMoment / sampled.Outputs[0].SecondMoment, 0.93, 1.07);
        Assert.Equal(rule.Correlation, sampled.Outputs[0].Correlation, 0.06);
        Assert.InRange(op.Moments.Backward(scope, 0) / sampled.Factors[0], 0.93, 1.07);
    }

    /// <summary>Plain convolutions without padding carry moments as dense layers with the same fan-in do.</summary>
    [Fact]
    public void Without_edges_it_is_a_dense_layer()
    {
        Moments x = new(0.1, 0.9, 0.3);
        Node convolution = Network.Input(5, 3, 3).Conv2d(7, 3, weight: new NormalInitializer(0, 0.3), name: "c").Build()["c"];
        Node dense = Network.Input(45).Dense(7, new NormalInitializer(0, 0.3), name: "d").Build()["d"];
        Moments expected = new Dense(7).Moments!.Forward(new MomentScope(dense, [x, .. dense.Parameters.Select(OfInitializer)]));
        Moments actual = convolution.Op.Moments!.Forward(new MomentScope(convolution, [x, .. convolution.Parameters.Select(OfInitializer)]));
        Assert.Equal(expected.SecondMoment, actual.SecondMoment, 1e-12);
        Assert.Equal(expected.Correlation, actual.Correlation, 1e-12);
    }

    private static Moments OfInitializer(Node node)
    {
        Parameter parameter = (Parameter)node.Op;
        return new Moments(parameter.Initializer.Mean, parameter.Initializer.Variance(parameter.Fans) + parameter.Initializer.Mean * parameter.Initializer.Mean, 1);
    }
}
