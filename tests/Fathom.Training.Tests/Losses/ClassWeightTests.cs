using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests.Losses;

public sealed class ClassWeightTests
{
    private static readonly DataSet Rows = Skewed(3);

    [Fact]
    public void BalancedClassesCountTheSame()
    {
        // 3 of 12, 4 of 12 and 5 of 12 rows.
        DataSet data = DataSet.OfLabels("d", [1], new float[12], [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2], 3);
        double[] weights = ClassWeights.Balanced.For(data, 3);
        Assert.Equal([12 / 9.0, 12 / 12.0, 12 / 15.0], weights);
        Assert.Equal(1, data.Labels.ToArray().Average(label => weights[label]), 1e-12);
        Assert.Equal([12 / 9.0, 12 / 12.0, 12 / 15.0, 1], ClassWeights.Balanced.For(data, 4));
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(false, 0.2)]
    [InlineData(true, 0)]
    public void CrossEntropyIsTheWeightedMeanOverAllRows(bool oneHot, double smoothing)
    {
        double[] w = [0.5, 3, 1.5];
        using TrainingSession session = Session(new CrossEntropy(OneHot: oneHot, LabelSmoothing: smoothing), w, 3);
        double sum = 0, divisor = 0;
        foreach ((double[] logits, int label) in Predictions(session, 3))
        {
            double log = Math.Log(logits.Sum(Math.Exp));
            for (int c = 0; c < 3; c++)
            {
                sum -= w[c] * ((1 - smoothing) * (c == label ? 1 : 0) + smoothing / 3) * (logits[c] - log);
            }
            divisor += oneHot ? 1 : w[label];
        }
        Assert.Equal(sum / divisor, session.Evaluate(Rows).Loss, 1e-5);
    }

    [Fact]
    public void TheNegativeLogLikelihoodIsTheSame()
    {
        double[] w = [0.5, 3, 1.5];
        using TrainingSession session = Session(new NegativeLogLikelihood(), w, 3);
        double sum = 0, divisor = 0;
        foreach ((double[] logs, int label) in Predictions(session, 3))
        {
            sum -= w[label] * logs[label];
            divisor += w[label];
        }
        Assert.Equal(sum / divisor, session.Evaluate(Rows).Loss, 1e-5);
    }

    [Fact]
    public void OneOutputWeighsNoAndYes()
    {
        DataSet data = Skewed(2);
        using TrainingSession session = Session(new BinaryCrossEntropy(), [0.25, 2], 1, data);
        double sum = 0;
        foreach ((double[] logit, int label) in Predictions(session, 1, data))
        {
            sum += label == 1 ? 2 * Math.Log(1 + Math.Exp(-logit[0])) : 0.25 * Math.Log(1 + Math.Exp(logit[0]));
        }
        Assert.Equal(sum / data.Count, session.Evaluate(data).Loss, 1e-5);
    }

    [Fact]
    public void SeveralBinaryOutputsWeighTheirPositiveTerm()
    {
        double[] w = [0.5, 3, 1.5];
        using TrainingSession session = Session(new BinaryCrossEntropy(), w, 3);
        double sum = 0;
        foreach ((double[] logits, int label) in Predictions(session, 3))
        {
            for (int c = 0; c < 3; c++)
            {
                sum += c == label ? w[c] * Math.Log(1 + Math.Exp(-logits[c])) : Math.Log(1 + Math.Exp(logits[c]));
            }
        }
        Assert.Equal(sum / (3 * Rows.Count), session.Evaluate(Rows).Loss, 1e-5);
    }

    [Fact]
    public void MicroBatchesWeighByTheirTargets()
    {
        double[] w = [0.5, 3, 1.5];
        using TrainingSession whole = Session(new CrossEntropy(), w, 3);
        using TrainingSession parts = Session(new CrossEntropy(), w, 3, accumulate: 5);
        for (int i = 0; i < 10; i++)
        {
            (StepResult expected, StepResult actual) = (whole.Step(), parts.Step());
            Assert.Equal(expected.Loss, actual.Loss, 1e-5);
            Assert.Equal(expected.GradientNorm, actual.GradientNorm, 1e-5);
        }
    }

    [Fact]
    public void WhatDoesNotFitIsRefused()
    {
        Assert.Equal("class_weights has 2 numbers; the network tells 3 classes apart", Refusal(() => Session(new CrossEntropy(), [1, 2], 3)));
        Assert.Equal("loss mse: it takes no class weights; leave class_weights out, or take cross_entropy, nll or binary_cross_entropy",
            Refusal(() => Session(new MeanSquaredError(), [1, 2, 3], 3)));
        Assert.Equal("loss binary_cross_entropy: class weights need logits; leave the sigmoid out and set from_logits: true",
            Refusal(() => Session(new BinaryCrossEntropy(FromLogits: false), [1, 2], 1, Skewed(2))));
        Assert.Equal("loss binary_cross_entropy: class weights are 0, 2; one output needs 2, the first of them, for no, above 0",
            Refusal(() => Session(new BinaryCrossEntropy(), [0, 2], 1, Skewed(2))));
        Assert.Equal("class_weights is -1; it must be 0 or more and finite", Refusal(() => Session(new CrossEntropy(), [1, -1, 2], 3)));
        Assert.Equal("class_weights is 0; it must be greater than 0 for one class at least", Refusal(() => Session(new CrossEntropy(), [0, 0, 0], 3)));
        DataSet real = DataSet.OfTargets("r", [2], new float[8], new float[12], 3);
        Assert.Equal("class_weights: balanced needs class labels; 'r' has real-valued targets", Refusal(() => ClassWeights.Balanced.For(real, 3)));

        static string Refusal(Func<object> act) => Assert.Throws<TrainingException>(act).Message;
    }

    private static IEnumerable<(double[] Output, int Label)> Predictions(TrainingSession session, int width, DataSet? data = null)
    {
        data ??= Rows;
        using ExecutionPlan<float> plan = ExecutionPlan<float>.Create(session.Model.Graph, data.Count, session.Parameters, WorkerPool.Single, [session.Model.Graph.Output]);
        data.Inputs.CopyTo(plan.Real(session.Model.Graph.Inputs.Single().Output).Span);
        plan.Run(training: false, 1, 0);
        float[] output = plan.Real(session.Model.Graph.Output).Span.ToArray();
        return [.. Enumerable.Range(0, data.Count).Select(row => (output.Skip(row * width).Take(width).Select(x => (double)x).ToArray(), data.Labels[row]))];
    }

    private static TrainingSession Session(Loss loss, double[] weights, int outputs, DataSet? data = null, int accumulate = 1)
    {
        data ??= Rows;
        TrainingPlan plan = new() { Loss = loss, ClassWeights = new ClassWeights([.. weights]), Optimizer = new Sgd(0.1), BatchSize = 50, Accumulate = accumulate };
        Graph network = loss is NegativeLogLikelihood ? Network.Input(4).Dense(outputs).LogSoftmax().Build() : Network.Input(4).Dense(outputs).Build();
        return new TrainingSession(new ModelDefinition("test", network, plan), new DataSplit(data, data), WorkerPool.Single);
    }

    /// <summary>Rows of classes in unequal shares, so that batches differ in their weight; more than one evaluation batch.</summary>
    private static DataSet Skewed(int classes)
    {
        const int count = 600;
        float[] inputs = [.. Enumerable.Range(0, count * 4).Select(i => (float)Math.Sin(0.61 * i + 0.1))];
        int[] labels = [.. Enumerable.Range(0, count).Select(i => i % 7 == 0 ? classes - 1 : i > 450 ? 1 : 0)];
        return DataSet.OfLabels("skewed", [4], inputs, labels, classes);
    }
}
