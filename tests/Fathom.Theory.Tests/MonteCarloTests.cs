using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>Predictions against the mean of random networks that plain loops run forward and back.</summary>
public sealed class MonteCarloTests
{
    private const int Width = 256;
    private const int Depth = 6;
    private const int Seeds = 50;

    private static readonly VarianceScaling[] Schemes = [VarianceScaling.XavierNormal, VarianceScaling.HeNormal, VarianceScaling.LeCunNormal];

    [Xunit.Theory]
    [InlineData("sigmoid")]
    [InlineData("tanh")]
    [InlineData("relu")]
    public void Chains_behave_as_predicted(string name)
    {
        Activation activation = TestActivations.Named(name);
        int[] widths = [64, .. Enumerable.Repeat(Width, Depth)];
        double[,] forward = new double[Schemes.Length, Depth], backward = new double[Schemes.Length, Depth];
        for (int seed = 0; seed < Seeds; seed++)
        {
            Random random = new(seed);
            PlainChain chain = new(random, widths, activation.Evaluate, activation.Slope);
            (double[] x, double[] upstream) = (PlainChain.Draw(random, 64), PlainChain.Draw(random, Width));
            for (int s = 0; s < Schemes.Length; s++)
            {
                VarianceScaling scheme = Schemes[s];
                (double[][] values, double[][] gradients, _) = chain.Pass(x, upstream, l => Math.Sqrt(scheme.Variance(new Fans(widths[l], widths[l + 1]))));
                for (int l = 0; l < Depth; l++)
                {
                    forward[s, l] += PlainChain.MeanSquare(values[l]) / Seeds;
                    backward[s, l] += PlainChain.MeanSquare(gradients[l]) / Seeds;
                }
            }
        }
        for (int s = 0; s < Schemes.Length; s++)
        {
            PropagationPrediction prediction = Predict(activation, Schemes[s]);
            for (int l = 0; l < Depth; l++)
            {
                string layer = $"{Schemes[s]}, layer {l + 1}";
                LayerPrediction predicted = prediction.Depth.Layers[l];
                AssertWithin(0.1, Math.Sqrt(forward[s, l]), Math.Sqrt(predicted.PreActivation.SecondMoment), layer + " forward");
                AssertWithin(0.1, Math.Sqrt(backward[s, l]), Math.Pow(10, predicted.Log10Gradient), layer + " backward");
            }
        }
    }

    [Fact]
    public void A_residual_chain_grows_as_predicted()
    {
        Activation activation = TestActivations.Tanh;
        int[] widths = [.. Enumerable.Repeat(Width, Depth + 1)];
        double[] forward = new double[Depth], backward = new double[Depth];
        for (int seed = 0; seed < Seeds; seed++)
        {
            Random random = new(seed);
            PlainChain chain = new(random, widths, activation.Evaluate, activation.Slope);
            (double[][] values, double[][] gradients, _) = chain.Pass(PlainChain.Draw(random, Width), PlainChain.Draw(random, Width),
                _ => Math.Sqrt(1.0 / Width), residual: true);
            for (int l = 0; l < Depth; l++)
            {
                forward[l] += PlainChain.MeanSquare(values[l]) / Seeds;
                backward[l] += PlainChain.MeanSquare(gradients[l]) / Seeds;
            }
        }
        NetworkCursor network = Network.Input(Width).Dense(Width, VarianceScaling.LeCunNormal);
        List<Value> stream = [network.Value];
        for (int l = 1; l < Depth; l++)
        {
            network = network.Then(activation).Dense(Width, VarianceScaling.LeCunNormal).Add(network);
            stream.Add(network.Value);
        }
        PropagationPrediction prediction = SignalPropagation.Predict(network.Build(), DataMoments.Standardized);
        for (int l = 0; l < Depth; l++)
        {
            AssertWithin(0.1, Math.Sqrt(forward[l]), Math.Sqrt(prediction.Forward(stream[l]).SecondMoment), $"layer {l + 1} forward");
            AssertWithin(0.1, Math.Sqrt(backward[l]), Math.Pow(10, prediction.RelativeGradient(stream[l])), $"layer {l + 1} backward");
        }
    }

    [Xunit.Theory]
    [InlineData(0.0, 0.0)]
    [InlineData(1.0, 0.6)]
    public void Weight_gradients_of_a_batch_are_as_predicted(double outputCorrelation, double dataCorrelation)
    {
        const int batch = 16, width = 128;
        int[] widths = [width, width, width, width];
        Activation activation = TestActivations.Tanh;
        double[] squares = new double[3];
        for (int seed = 0; seed < 10; seed++)
        {
            Random random = new(seed);
            PlainChain chain = new(random, widths, activation.Evaluate, activation.Slope);
            double[][] sums = [.. Enumerable.Range(0, 3).Select(_ => new double[width * width])];
            double[] shared = PlainChain.Draw(random, width), upstream = PlainChain.Draw(random, width);
            for (int sample = 0; sample < batch; sample++)
            {
                double[] own = PlainChain.Draw(random, width);
                double[] x = [.. own.Zip(shared, (z, s) => Math.Sqrt(dataCorrelation) * s + Math.Sqrt(1 - dataCorrelation) * z)];
                upstream = outputCorrelation == 1 ? upstream : PlainChain.Draw(random, width);
                (_, double[][] gradients, double[][] inputs) = chain.Pass(x, upstream, _ => Math.Sqrt(1.5 / width), 0.2);
                for (int l = 0; l < 3; l++)
                {
                    for (int i = 0; i < width; i++)
                    {
                        System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(inputs[l], gradients[l][i], sums[l].AsSpan(i * width, width), sums[l].AsSpan(i * width, width));
                    }
                }
            }
            for (int l = 0; l < 3; l++)
            {
                squares[l] += PlainChain.MeanSquare(sums[l]) / 10;
            }
        }
        VarianceScaling weights = new(1.5, FanMode.In, WeightDistribution.Normal);
        NormalInitializer biases = new(0, 0.2);
        Graph graph = Network.Input(width).Dense(width, weights, biases).Then(activation).Dense(width, weights, biases).Then(activation).Dense(width, weights, biases).Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, new DataMoments(0, 1, dataCorrelation),
            new PredictionOptions { BatchSize = batch, OutputGradientCorrelation = outputCorrelation });
        for (int l = 0; l < 3; l++)
        {
            AssertWithin(0.1, Math.Sqrt(squares[l]), Math.Pow(10, prediction.Depth.Layers[l].Log10WeightGradient), $"weight {l + 1}");
        }
    }

    /// <summary>
    /// Nielsen, Neural Networks and Deep Learning, ch. 5: width 30, sigmoid, W ~ N(0, 1/n), b ~ N(0, 1). The norms that he
    /// prints fall by factors near the predicted .2048 per layer.
    /// </summary>
    [Fact]
    public void Nielsens_vanishing_gradient_is_predicted_with_its_spread()
    {
        VarianceScaling weights = VarianceScaling.LeCunNormal;
        NormalInitializer biases = new(0, 1);
        NetworkCursor network = Network.Input(784);
        for (int l = 0; l < 4; l++)
        {
            network = network.Dense(30, weights, biases).Then(TestActivations.Sigmoid);
        }
        PropagationPrediction prediction = SignalPropagation.Predict(network.Dense(10, weights, biases).Build(), new DataMoments(0.13, 0.1, 0.4), new PredictionOptions { BatchSize = 1 });
        MeanFieldPoint point = new MeanField(TestActivations.Sigmoid).FixedPoint(1, 1);
        Assert.Equal(0.2048, Math.Sqrt(point.Chi1), 1e-4);
        Assert.Equal(0.2048, prediction.Depth.Layers[2].Factor, 1e-3);
        Assert.Equal(1.16, Math.Pow(10, prediction.Depth.Layers[2].FactorDeviation), 0.015);
        double[] logs = [.. Enumerable.Range(0, 300).Select(RandomFactor)];
        double mean = logs.Average();
        Assert.InRange(Math.Exp(mean), 0.197, 0.208);
        double deviation = Math.Sqrt(logs.Average(log => (log - mean) * (log - mean)));
        Assert.InRange(deviation / (prediction.Depth.Layers[2].FactorDeviation * Math.Log(10)), 0.85, 1.2);
        double[] published = [0.00298, 0.01708, 0.06954, 0.28514];
        for (int l = 0; l < 3; l++)
        {
            double off = Math.Log10(published[l] / published[l + 1]) - Math.Log10(prediction.Depth.Layers[l].Factor);
            Assert.InRange(Math.Abs(off), 0, 2.5 * prediction.Depth.Layers[l].FactorDeviation);
        }

        double RandomFactor(int seed)
        {
            Random random = new(seed);
            int[] widths = [30, 30, 30, 30, 10];
            PlainChain chain = new(random, widths, TestActivations.Sigmoid.Evaluate, TestActivations.Sigmoid.Slope);
            (_, double[][] gradients, _) = chain.Pass([.. PlainChain.Draw(random, 30).Select(z => 0.5 + 0.2 * z)], PlainChain.Draw(random, 10), l => 1 / Math.Sqrt(widths[l]), 1);
            return Math.Log(PlainChain.MeanSquare(gradients[1]) / PlainChain.MeanSquare(gradients[2])) / 2;
        }
    }

    private static PropagationPrediction Predict(Activation activation, Initializer weights)
    {
        NetworkCursor network = Network.Input(64).Dense(Width, weights);
        for (int l = 1; l < Depth; l++)
        {
            network = network.Then(activation).Dense(Width, weights);
        }
        return SignalPropagation.Predict(network.Build(), DataMoments.Standardized);
    }

    private static void AssertWithin(double tolerance, double measured, double predicted, string what) =>
        Assert.True(Math.Abs(predicted / measured - 1) <= tolerance, $"{what}: measured {measured:G5}, predicted {predicted:G5}");
}
