using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>What is measured beside the steps: curvature along them, noise, running statistics.</summary>
public sealed class StepMeasurementTests
{
    /// <summary>The squared error over inputs of variance 1 has the Hessian 2, so that rate × curvature is twice the rate.</summary>
    [Theory]
    [InlineData(0.02, false)]
    [InlineData(0.02, true)]
    [InlineData(1e-3, false)] // too short for float32: the loss is taken ten times as far along
    public void TheSharpnessOfAQuadraticIsRateTimesCurvature(double rate, bool clips)
    {
        ModelDefinition model = Line(new Sgd(rate), TrainingPlan.FullBatch, 130);
        model = clips ? model with { Plan = model.Plan with { Clipping = new ClipByGlobalNorm(0.5) } } : model;
        using WatchedRun run = new(model, Linear(noise: 1));
        run.Advance();
        double sharpness = run.Monitor.Observation.StepSharpness;
        // Where clipping bites, the step is shorter than the rate says; it goes down the same slope.
        Assert.InRange(sharpness / (2 * rate), clips ? 0.1 : 0.7, clips ? 0.9 : 1.3);
        Assert.Equal(0, run.Monitor.Observation.RaisedShare);
    }

    /// <summary>All measurements put back what they move: weights, gradients, running statistics and random numbers are those of a run that nobody watches.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void MeasuringChangesNothing(int accumulate)
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.BatchNorm().Relu().Dropout(0.2), VarianceScaling.HeNormal, optimizer: new Adam(1e-5));
        model = model with { Plan = model.Plan with { Accumulate = accumulate } };
        using Compute.WorkerPool pool = new(1);
        using TrainingSession alone = new(model, SickNetworks.Digits, pool, watch: false);
        using WatchedRun watched = new(model, SickNetworks.Digits);
        for (int step = 0; step < 115; step++)
        {
            StepResult result = alone.Step();
            watched.Advance(until: step + 1);
            Observation seen = watched.Monitor.Observation;
            if (step % 15 == 0)
            {
                float[] gradients = watched.Session.Parameters.Gradients.Span.ToArray();
                seen.MeasureNoise();
                Assert.True(double.IsFinite(seen.EvaluationLoss()));
                Assert.True(double.IsFinite(seen.TrainingLoss()));
                Assert.Equal(gradients, watched.Session.Parameters.Gradients.Span.ToArray());
            }
            Assert.Equal(result.Loss, seen.Step.Loss);
        }
        Assert.Equal(alone.Parameters.Values.Span.ToArray(), watched.Session.Parameters.Values.Span.ToArray());
        Assert.True(double.IsFinite(watched.Monitor.Observation.StepSharpness));
    }

    /// <summary>The loss before a step, measured again, is the step's own, dropout included.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void TheLossOfAStepIsMeasuredAgainToTheBit(int accumulate)
    {
        ModelDefinition model = SickNetworks.Chain(2, net => net.BatchNorm().Tanh().Dropout(0.3), VarianceScaling.XavierNormal, optimizer: new Sgd(1e-30));
        model = model with { Plan = model.Plan with { Accumulate = accumulate } };
        using WatchedRun run = new(model, SickNetworks.Digits);
        run.Advance(until: 50);
        Assert.Equal(run.Monitor.Observation.Step.Loss, run.Monitor.Observation.TrainingLoss());
    }

    /// <summary>g = −2(y − wx)x at w = 0 with y = noise of deviation s: tr Σ = 4 s² Σ E x² = 4 s²·5, bias included.</summary>
    [Fact]
    public void TheNoiseOfAQuadraticIsThatOfItsTargets()
    {
        const double Deviation = 3;
        using WatchedRun run = new(Line(new Sgd(1e-9), 16, 3), Linear(Deviation, slope: 0));
        for (int step = 1; step < 300; step++)
        {
            run.Advance(until: step);
            run.Monitor.Observation.MeasureNoise();
        }
        // Of the bias, a vector, nothing is counted: four weights.
        Assert.InRange(run.Monitor.Observation.Noise.Variances.Sum() / (4 * Deviation * Deviation * 4), 0.6, 1.5);
        Assert.True(run.Monitor.Observation.Noise.Scale > 160, $"{run.Monitor.Observation.Noise.Scale}");
    }

    [Fact]
    public void ASlopeWithoutNoiseHasASmallNoiseScale()
    {
        using WatchedRun run = new(Line(new Sgd(1e-9), 64, 3), Linear(noise: 0.01, slope: 5));
        for (int step = 1; step < 60; step++)
        {
            run.Advance(until: step);
            run.Monitor.Observation.MeasureNoise();
        }
        Assert.InRange(run.Monitor.Observation.Noise.Scale, 1, 20);
    }

    internal static ModelDefinition Line(Optimizer optimizer, int batch, int epochs) => new("line", Network.Input(4).Dense(1, new ConstantInitializer(0)).Build(),
        new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = optimizer, BatchSize = batch, Epochs = epochs });

    /// <summary>y = slope · (x₁ − x₂) and noise over 2,000 rows of four standard normal numbers.</summary>
    internal static DataSplit Linear(double noise, double slope = 1)
    {
        DataSet rows = Audit.Made.Classes(rows: 2000).Training;
        Random random = new(11);
        float[] targets = [.. Enumerable.Range(0, rows.Count).Select(i => (float)(slope * (rows.Inputs[4 * i] - rows.Inputs[4 * i + 1]) + noise * Math.Sqrt(12) * (random.NextDouble() - 0.5)))];
        DataSet data = DataSet.OfTargets("line", [4], rows.Inputs.ToArray(), targets);
        return new DataSplit(data, data);
    }
}
