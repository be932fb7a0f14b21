using Fathom.Compute;
using Fathom.Training.Data;
using Fathom.Training.ForwardForward;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests.ForwardForward;

public sealed class ForwardForwardTests
{
    private static readonly DataSplit Digits = DataSource.Open("digits", new DataOptions { Seed = 1 });

    [Fact]
    public void DigitsAreLearntWithoutBackPropagation()
    {
        using WorkerPool pool = new(2);
        using ForwardForwardSession session = new(new ForwardForwardPlan { Widths = [100, 100], Epochs = 12 }, Digits, pool);
        Assert.InRange(session.Accuracy(Digits.Validation), 0, 0.4);
        ForwardForwardEpoch last = session.TrainEpoch();
        while (!session.Finished)
        {
            last = session.TrainEpoch();
        }
        Assert.Equal(11, last.Epoch);
        Assert.True(last.ValidationAccuracy > 0.9, $"accuracy {last.ValidationAccuracy}");
        Assert.All(last.LayerLosses, loss => Assert.InRange(loss, 0, Math.Log(2)));
        Assert.Equal(last.ValidationAccuracy, session.Accuracy(Digits.Validation));
    }

    [Fact]
    public void OneLayerAloneClassifiesToo()
    {
        using ForwardForwardSession session = new(new ForwardForwardPlan { Widths = [100], Epochs = 8 }, Digits, WorkerPool.Single);
        while (!session.Finished)
        {
            session.Step();
        }
        Assert.InRange(session.Accuracy(Digits.Validation), 0.8, 1);
    }

    /// <summary>No gradient comes down: the first layer's losses are the same bits whatever stands on it.</summary>
    [Fact]
    public void LayersLearnByThemselves()
    {
        double[] alone = FirstLayer([40], threads: 1);
        Assert.Equal(alone, FirstLayer([40, 30, 20], threads: 1));
        Assert.Equal(alone, FirstLayer([40, 7], threads: 3));
        Assert.NotEqual(alone[0], alone[^1]);
    }

    [Fact]
    public void WhatDoesNotFitIsNamed()
    {
        Assert.Equal("widths is []; it must be one hidden layer or more, each of 1 unit or more", ErrorOf(new ForwardForwardPlan { Widths = [] }, Digits));
        Assert.Equal("widths is [5, 0]; it must be one hidden layer or more, each of 1 unit or more", ErrorOf(new ForwardForwardPlan { Widths = [5, 0] }, Digits));
        Assert.Equal("threshold is 0; it must be above 0 and finite", ErrorOf(new ForwardForwardPlan { Widths = [5], Threshold = 0 }, Digits));
        Assert.Equal("optimizer sgd: learning_rate is -1; it must be greater than 0 and finite", ErrorOf(new ForwardForwardPlan { Widths = [5], Optimizer = new Sgd(-1) }, Digits));
        Assert.StartsWith("forward-forward training writes the label into the first inputs", ErrorOf(new ForwardForwardPlan { Widths = [5] }, DataSource.Open("moons")), StringComparison.Ordinal);
        DataSet real = DataSet.OfTargets("real", [3], new float[12], new float[4]);
        Assert.Equal("forward-forward training needs class labels; 'real' has real-valued targets", ErrorOf(new ForwardForwardPlan { Widths = [5] }, new DataSplit(real, real)));
        using ForwardForwardSession session = new(new ForwardForwardPlan { Widths = [5] }, Digits, WorkerPool.Single);
        Assert.Contains("takes 64 values per sample", Assert.Throws<TrainingException>(() => session.Classify(DataSource.Open("moons").Training)).Message, StringComparison.Ordinal);
    }

    private static double[] FirstLayer(int[] widths, int threads)
    {
        using WorkerPool pool = new(threads);
        using ForwardForwardSession session = new(new ForwardForwardPlan { Widths = [.. widths], Seed = 5 }, Digits, pool);
        double[] losses = new double[60];
        for (int i = 0; i < losses.Length; i++)
        {
            losses[i] = session.Step()[0];
        }
        return losses;
    }

    private static string ErrorOf(ForwardForwardPlan plan, DataSplit data) =>
        Assert.Throws<TrainingException>(() => new ForwardForwardSession(plan, data, WorkerPool.Single).Dispose()).Message;
}
