using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Metrics;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests.Metrics;

public sealed class MetricTests
{
    private const int Classes = 5;
    private const int Rows = 211;

    private static readonly int[] Labels = [.. Enumerable.Range(0, Rows).Select(i => i * i % 7 % 4)]; // class 4 never occurs
    private static readonly float[] Scores = [.. Enumerable.Range(0, Rows * Classes).Select(i => (float)Math.Sin(1.7 * i * i + 0.3))];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(9)]
    public void TopKIsTheShareOfClassesAmongTheLargest(int k)
    {
        int found = Enumerable.Range(0, Rows).Count(row => Ranking(row).Take(k).Contains(Labels[row]));
        Assert.Equal(found / (double)Rows, Result(new TopK(k)), 1e-12);
    }

    [Fact]
    public void AccuracyIsTheFirstOfTopK() => Assert.Equal(Result(new TopK(1)), Result(new Accuracy()), 1e-12);

    [Fact]
    public void F1IsTheHarmonicMeanOfPrecisionAndRecall()
    {
        double[] scores = [.. Enumerable.Range(0, Classes).Select(OfClass)];
        Assert.True(scores[4] == 0); // never right, but predicted: it counts
        Assert.Equal(scores.Average(), Result(new F1()), 1e-12);
        Assert.Equal(scores[1], Result(new F1(F1Average.Binary)), 1e-12);

        static double OfClass(int c)
        {
            int[] predicted = [.. Enumerable.Range(0, Rows).Select(row => Ranking(row).First())];
            double right = Enumerable.Range(0, Rows).Count(row => predicted[row] == c && Labels[row] == c);
            double precision = right / predicted.Count(p => p == c);
            double recall = right / Labels.Count(label => label == c);
            return right == 0 ? 0 : 2 * precision * recall / (precision + recall);
        }
    }

    [Fact]
    public void AClassThatNeitherOccursNorIsPredictedDoesNotCount()
    {
        DataSet data = DataSet.OfLabels("d", [1], new float[4], [0, 0, 2, 2], 5);
        float[] predictions = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0];
        // Class 0: TP 2, FP 1. Class 2: TP 1, FN 1.
        Assert.Equal((0.8 + 2 / 3.0) / 2, Result(new F1(), data, predictions, [0, 1, 2, 3]), 1e-12);
    }

    [Fact]
    public void OneColumnIsYesOrNo()
    {
        DataSet data = DataSet.OfLabels("d", [1], new float[4], [0, 1, 1, 0], 2);
        float[] logits = [-1, 2, -0.5f, 3];
        Assert.Equal(0.5, Result(new F1(F1Average.Binary), data, logits, [0, 1, 2, 3]), 1e-12);
        Assert.Equal(0.5, Result(new TopK(2), data, logits, [0, 1, 2, 3]), 1e-12);
    }

    [Fact]
    public void NaNIsNoClass()
    {
        DataSet data = DataSet.OfLabels("d", [1], new float[2], [0, 1], 2);
        float[] predictions = [float.NaN, 0, 0, 1];
        Assert.Equal(0.5, Result(new Accuracy(), data, predictions, [0, 1]));
        Assert.Equal(0.5, Result(new TopK(2), data, predictions, [0, 1]));
        Assert.Equal(0.5, Result(new F1(), data, predictions, [0, 1])); // class 0: FN alone; class 1: right
    }

    [Fact]
    public void AnEvaluationHasThePlansMetricsInTheirOrder()
    {
        DataSplit digits = DataSource.Open("digits", new DataOptions { Seed = 3 });
        TrainingPlan plan = new() { Loss = new CrossEntropy(), Optimizer = new Sgd(0.1), Metrics = [new TopK(3), new F1(), new Accuracy()] };
        using TrainingSession session = new(new ModelDefinition("test", Network.Input(64).Dense(10).Build(), plan), digits, WorkerPool.Single);
        for (int i = 0; i < 100; i++)
        {
            session.Step();
        }
        Evaluation evaluation = session.Evaluate(digits.Validation);
        Assert.Equal(["top_3", "f1", "accuracy"], evaluation.Metrics.Select(value => value.Metric.Name));
        Assert.Equal(evaluation.Metric, evaluation.Metrics[2].Value);
        Assert.True(evaluation.Metrics[0].Value >= evaluation.Metric);
        Assert.InRange(evaluation.Metrics[1].Value, 0.5, 1);
    }

    [Fact]
    public void WhatDoesNotFitIsRefused()
    {
        DataSplit digits = DataSource.Open("digits", new DataOptions { Seed = 3 });
        TrainingPlan plan = new() { Loss = new CrossEntropy(), Optimizer = new Sgd(0.1), Metrics = [new R2()] };
        Assert.Equal("metric r2: it needs real-valued targets; 'digits' has class labels",
            Assert.Throws<TrainingException>(() => new TrainingSession(new ModelDefinition("t", Network.Input(64).Dense(10).Build(), plan), digits, WorkerPool.Single)).Message);
        Assert.Equal("metric top_3: it needs class labels; 'r' has real-valued targets",
            Assert.Throws<TrainingException>(() => new TopK(3).Check(DataSet.OfTargets("r", [1], new float[2], new float[2], 1))).Message);
        Assert.Equal("metric top_k: k is 0; it must be 1 or more", Assert.Throws<TrainingException>(new TopK(0).Validate).Message);
    }

    [Fact]
    public void ShortNamesHoldTheSetting()
    {
        Assert.Equal(new TopK(3), MetricCatalog.ByShortName("top_3"));
        Assert.Null(MetricCatalog.ByShortName("top_k"));
        Assert.Null(MetricCatalog.ByShortName("accuracy"));
        Assert.Equal(["accuracy", "f1", "r2", "top_k"], MetricCatalog.ByKind.Keys.Order());
    }

    private static double Result(Metric metric) =>
        Result(metric, DataSet.OfLabels("d", [1], new float[Rows], Labels, Classes), Scores, [.. Enumerable.Range(0, Rows)]);

    /// <summary>In batches of 50, as an evaluation adds them.</summary>
    private static double Result(Metric metric, DataSet data, float[] predictions, int[] rows)
    {
        MetricScore score = metric.Start(data, new CrossEntropy());
        int width = predictions.Length / rows.Length;
        foreach (int[] batch in rows.Chunk(50))
        {
            score.Add(batch, predictions.AsSpan(batch[0] * width, batch.Length * width));
        }
        return score.Result;
    }

    private static IEnumerable<int> Ranking(int row) => Enumerable.Range(0, Classes).OrderByDescending(c => Scores[row * Classes + c]);
}
