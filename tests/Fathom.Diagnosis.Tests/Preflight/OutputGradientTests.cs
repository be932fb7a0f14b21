using Fathom.Diagnosis.Preflight;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Preflight;

/// <summary>The loss's gradient by the output against closed forms.</summary>
public sealed class OutputGradientTests
{
    private const int Batch = 20;

    [Xunit.Theory]
    [InlineData(2)]
    [InlineData(10)]
    [InlineData(100)]
    public void An_undecided_softmax_has_the_closed_form(int classes)
    {
        OutputGradient gradient = Of(Network.Input(8).Dense(classes, new NormalInitializer(0, 1e-3)), new CrossEntropy());
        Assert.Equal(0.5 * Math.Log10((1 - 1.0 / classes) / classes) - Math.Log10(Batch), gradient.Log10Rms, 0.005);
        Assert.Equal(0, gradient.Correlation, 0.03);
    }

    [Fact]
    public void A_decided_softmax_has_a_larger_gradient_than_an_undecided_one()
    {
        // Far apart logits: p is 1 at one class; (p − y)² is 2 where it is the wrong one, 9 times in 10.
        OutputGradient gradient = Of(Network.Input(8).Dense(10, new NormalInitializer(0, 100)), new CrossEntropy());
        Assert.Equal(0.5 * Math.Log10(2 * 0.9 / 10) - Math.Log10(Batch), gradient.Log10Rms, 0.01);
        OutputGradient probabilities = Of(Network.Input(8).Dense(10, new NormalInitializer(0, 1e-3)).Then(new Softmax()), new CrossEntropy(FromLogits: false));
        // By the probabilities, which the loss divides by their sum: 1 − 1/p at the target and 1 elsewhere.
        Assert.Equal(0.5 * Math.Log10((9 * 9 + 9) / 10.0) - Math.Log10(Batch), probabilities.Log10Rms, 0.01);
    }

    [Fact]
    public void A_squared_error_follows_the_moments_of_output_and_target()
    {
        DataSet data = DataSet.OfTargets("line", [8], [.. Enumerable.Range(0, 8 * 400).Select(i => (float)Math.Sin(i))], [.. Enumerable.Range(0, 800).Select(i => 3f + i % 2)], 2);
        OutputGradient gradient = Of(Network.Input(8).Dense(2, VarianceScaling.LeCunNormal), new MeanSquaredError(), data);
        double square = data.Inputs.ToArray().Average(x => (double)x * x) + (9 + 16) / 2.0;
        Assert.Equal(Math.Log10(2 * Math.Sqrt(square) / 2 / Batch), gradient.Log10Rms, 0.02);
        // Targets are all of one side: every sample pulls the same way.
        Assert.InRange(gradient.Correlation, 0.9, 1);
    }

    [Fact]
    public void Binary_cross_entropy_of_an_undecided_output_is_a_half()
    {
        OutputGradient gradient = Of(Network.Input(8).Dense(1, new NormalInitializer(0, 1e-3)), new BinaryCrossEntropy());
        Assert.Equal(Math.Log10(0.5 / Batch), gradient.Log10Rms, 0.005);
    }

    private static OutputGradient Of(NetworkCursor network, Loss loss, DataSet? data = null)
    {
        ModelDefinition model = new("m", network.Build(), new TrainingPlan { Loss = loss, Optimizer = new Sgd(0.1), BatchSize = Batch });
        DataMoments moments = data is null ? DataMoments.Standardized : DataMoments.Measure(data.Inputs, model.Graph);
        PropagationPrediction prediction = SignalPropagation.Predict(model.Graph, moments, PredictionOptions.Default with { BatchSize = Batch });
        return OutputGradient.Of(model, prediction, data)!;
    }
}
