using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

public sealed class ExponentForecastTests
{
    [Fact]
    public void Shares_of_a_gaussian_are_those_of_the_normal_distribution()
    {
        // The gradient by a layer that no activation follows is Gaussian: RMS 2^-24, the smallest subnormal number of fp16.
        Graph graph = Network.Input(64).Dense(64, VarianceScaling.LeCunNormal, name: "a").Dense(64, VarianceScaling.LeCunNormal, name: "b").Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, DataMoments.Standardized);
        ExponentForecast forecast = ExponentForecast.OfGradient(prediction, graph["a"].Output, -24 * Math.Log10(2));
        FormatShares fp16 = forecast.In(NumberFormat.Fp16);
        Assert.Equal(2 * GaussianIntegral.Cumulative(0.5) - 1, fp16.Flushed, 1e-6);
        Assert.Equal(1 - fp16.Flushed, fp16.Subnormal, 1e-6);
        Assert.Equal(0, fp16.Overflow, 1e-12);
        FormatShares scaled = forecast.In(NumberFormat.Fp16, Math.ScaleB(1, 24 + 16));
        Assert.Equal(2 - 2 * GaussianIntegral.Cumulative(65504.0 / 65536), scaled.Overflow, 1e-6);
        Assert.All(forecast.Formats.Where(shares => shares.Format.MinNormal < 1e-30), shares => Assert.Equal(0, shares.Flushed, 1e-12));
        Assert.Equal(1, forecast.In(NumberFormat.Fp8E4M3).Flushed, 1e-12);
    }

    [Fact]
    public void A_ReLU_zeroes_half_of_the_gradient_and_leaves_the_rest_larger()
    {
        Graph graph = Network.Input(64).Dense(64, VarianceScaling.HeNormal, name: "a").Relu().Dense(64, VarianceScaling.LeCunNormal, name: "b").Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, DataMoments.Standardized);
        ExponentForecast forecast = ExponentForecast.OfGradient(prediction, graph["a"].Output, 0);
        Assert.Equal(0.5, forecast.Zeros, 1e-6);
        // E[δ²] = 1/2 over all, so that what is not 0 is Gaussian with mean square 1.
        Assert.Equal(2 * GaussianIntegral.Cumulative(1) - 1, forecast.Below(0), 1e-6);
    }

    /// <summary>Shares against the exponents of drawn tensors, in a network whose gradients pass the limits of fp16 and fp8.</summary>
    [Fact]
    public void Forecasts_agree_with_drawn_tensors()
    {
        Graph graph = Network.Input(12, 24).Lstm(64, name: "lstm").Last().Dense(64, VarianceScaling.LeCunNormal, name: "a").Tanh().Dense(10, VarianceScaling.LeCunNormal, name: "b").Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, DataMoments.Standardized, new PredictionOptions { BatchSize = 8 });
        GraphBuilder builder = new(graph);
        Value upstream = builder.Input("upstream", graph.Output.Type), x = graph["input"].Output;
        DifferentiatedGraph back = Autodiff.Differentiate(builder.Build(graph.Output), new Dictionary<Value, Value> { [graph.Output] = upstream }, [x]);
        using NodeRun run = new(back.Graph, new PredictionOptions { Samples = 8 }, 1 << 26);
        Moments data = new(0, 1, 0);
        foreach ((Value value, double unit) in new[] { (x, -14), (graph["a"].Output, -23.5) })
        {
            ExponentForecast forecast = ExponentForecast.OfGradient(prediction, value, unit * Math.Log10(2));
            double flushed = 0, subnormal = 0;
            const int draws = 20;
            for (int draw = 0; draw < draws; draw++)
            {
                run.Fill([(x, data, 0), .. graph.Parameters.Select(node => (node.Output, data, 0))], [upstream], draw);
                run.Execute(draw);
                ReadOnlySpan<double> gradient = run.Read(back.Gradients[value]);
                foreach (double element in gradient)
                {
                    double size = Math.Abs(element) * Math.Pow(2, unit);
                    flushed += size < Math.ScaleB(1, -25) ? 1.0 / draws / gradient.Length : 0;
                    subnormal += size >= Math.ScaleB(1, -25) && size < Math.ScaleB(1, -14) ? 1.0 / draws / gradient.Length : 0;
                }
            }
            FormatShares shares = forecast.In(NumberFormat.Fp16);
            Assert.Equal(flushed, shares.Flushed, 0.04);
            Assert.Equal(subnormal, shares.Subnormal, 0.04);
            Assert.InRange(shares.Flushed, 0.05, 0.95);
        }
    }

    [Fact]
    public void A_loss_scale_saves_small_gradients_and_none_is_advised_without_need()
    {
        Graph graph = Network.Input(64).Repeat(4, layer => layer.Dense(64, VarianceScaling.XavierNormal).Sigmoid()).Dense(10, VarianceScaling.XavierNormal).Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, DataMoments.Standardized);
        PrecisionForecast small = PrecisionForecast.Of(prediction, Math.Log10(1e-4));
        double scale = small.RecommendedLossScale();
        Assert.True(small.Worst(NumberFormat.Fp16)!.Value.Shares.Flushed > 0.05);
        Assert.True(scale > 1 && Math.Log2(scale) == Math.Round(Math.Log2(scale)));
        Assert.True(small.Worst(NumberFormat.Fp16, scale)!.Value.Shares is { Flushed: < 0.01, Overflow: < 1e-6 });
        Assert.True(small.Worst(NumberFormat.Fp16, scale / 2)!.Value.Shares.Flushed >= 0.01);
        Assert.Equal(1, PrecisionForecast.Of(prediction, 0).RecommendedLossScale());
    }
}
