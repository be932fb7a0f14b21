using System.Collections.Immutable;
using Fathom.Diagnosis.Maps;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Maps;

public sealed class MapTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("fathom-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("depth=2..10:5", "2 4 6 8 10", false)]
    [InlineData("learning-rate=1e-4..1:5:log", "0.0001 0.001 0.01 0.1 1", true)]
    [InlineData("batch=64,8,16,32", "8 16 32 64", true)]
    [InlineData("bias-variance=0,0.05,0.1", "0 0.05 0.1", false)]
    [InlineData("weight-variance=1..2:11", "1 1.1 1.2 1.3 1.4 1.5 1.6 1.7 1.8 1.9 2", false)]
    [InlineData("depth=2..5:16", "2 3 4 5", false)] // whole numbers, each once
    public void AnAxisIsRead(string text, string values, bool logarithmic)
    {
        MapAxis axis = MapAxis.Parse(text);
        Assert.Equal(values, string.Join(' ', axis.Values.Select(value => FormattableString.Invariant($"{value}"))));
        Assert.Equal(logarithmic, axis.IsLogarithmic);
    }

    [Theory]
    [InlineData("depth", "'depth' is no axis")]
    [InlineData("dept=2..5", "nearest is 'depth'")]
    [InlineData("depth=5..2", "the range 5..2 must rise")]
    [InlineData("depth=2..x", "'x' is no number")]
    [InlineData("depth=2..9:1", "'1' values; a whole number from 2")]
    [InlineData("depth=2..9:4:lin", "'lin' behind the number of values; only log")]
    [InlineData("learning-rate=0..1:4:log", "must rise, from above 0")]
    [InlineData("dropout=0..1:3", "dropout is 1; it must be from 0 to 0.99")]
    [InlineData("depth=3", "has one value")]
    [InlineData("batch=1,NaN", "'NaN' is no number")]
    public void WhatIsNoAxisIsRefused(string text, string reason) => Assert.Contains(reason, Assert.Throws<FormatException>(() => MapAxis.Parse(text)).Message);

    /// <summary>Several threads predict; who shows how far they are is told by one at a time, and nothing goes back.</summary>
    [Fact]
    public void ProgressIsToldOneAtATime()
    {
        TrainabilityMap map = Map(new ChainSubject(new Tanh(), new Sgd(), null, 1), "bias-variance=0,0.05,0.1,0.15", "weight-variance=1,1.5,2,2.5,3");
        int inside = 0, together = 0;
        List<int> told = [];
        map.Predict(progress =>
        {
            together = Math.Max(together, Interlocked.Increment(ref inside));
            Thread.Sleep(2);
            told.Add(progress.Done);
            Interlocked.Decrement(ref inside);
        });
        Assert.Equal(1, together);
        Assert.Equal(Enumerable.Range(1, 20), told);
    }

    /// <summary>tanh without dropout: quadrature. With dropout: by bisection of the map with the diagonal term over p.</summary>
    [Theory]
    [InlineData(1.2, 0, 5.94, 0.01)]
    [InlineData(1.4, 0, 10.73, 0.01)]
    [InlineData(2.5, 0, 11.8, 0.1)]
    [InlineData(4.0, 0, 6.98, 0.01)]
    [InlineData(1.76, 0.01, 14.5, 0.1)]
    [InlineData(1.76, 0.1, 4.67, 0.01)]
    public void DepthScaleOfTanh(double weightVariance, double dropout, double expected, double tolerance) =>
        Assert.Equal(expected, ChainTheory.CorrelationScale(new Tanh(), weightVariance, 0.05, dropout), tolerance);

    /// <summary>σw² = 2p, where every length is fixed.</summary>
    [Theory]
    [InlineData(0.1, 2.27)]
    [InlineData(0.2, 1.55)]
    [InlineData(0.5, 0.80)]
    public void DepthScaleOfReluUnderDropout(double dropout, double expected) => Assert.Equal(expected, ChainTheory.CorrelationScale(new Relu(), 2 * (1 - dropout), 0, dropout), 0.01);

    /// <summary>Each layer of a linear chain multiplies the gradient's norm by σw.</summary>
    [Fact]
    public void DecadesOfALinearChain()
    {
        TrainabilityMap map = Map(new ChainSubject(new Linear(), new Sgd(), null, 1), "depth=2,11,31", "weight-variance=0.5,1,2");
        foreach (MapCell cell in map.Predict())
        {
            Assert.Equal((cell.X - 1) / 2 * Math.Log10(cell.Y), cell.Prediction.Decades, 1e-9);
        }
    }

    /// <summary>Far from the data the gradient's square changes by χ1 a layer: THEORY's 1.13352 at (2.5, 0.05), 0.84517 at (1.2, 0.05).</summary>
    [Theory]
    [InlineData(2.5, 1.13352)]
    [InlineData(1.2, 0.84517)]
    public void DecadesOfADeepTanhChain(double weightVariance, double chi)
    {
        TrainabilityMap map = Map(new ChainSubject(new Tanh(), new Sgd(), null, 1), "depth=60,80", FormattableString.Invariant($"weight-variance={weightVariance},3"));
        double[] decades = [.. map.Predict().Where(cell => cell.Y == weightVariance).Select(cell => cell.Prediction.Decades)];
        Assert.Equal(20 * Math.Log10(chi) / 2, decades[1] - decades[0], 1e-3);
    }

    /// <summary>The walk down the chain agrees with the general theory of graphs at each depth, dropout included.</summary>
    [Theory]
    [InlineData("tanh", 3, 0)]
    [InlineData("relu", 1.8, 0.0)]
    [InlineData("gelu", 1.5, 0.2)]
    [InlineData("sigmoid", 4, 0)]
    public void TheWalkAgreesWithTheTheoryOfTheGraph(string activation, double weightVariance, double dropout)
    {
        ChainSubject subject = new((Activation)Fathom.Graphs.OpCatalog.ByKind[activation], new Sgd(), SickNetworks.Digits, 1);
        MapPoint point = subject.Defaults.With(MapSetting.WeightVariance, weightVariance).With(MapSetting.Dropout, dropout).With(MapSetting.Depth, 25);
        DepthProfile profile = WatchedRun.Predict(subject.Build(point), SickNetworks.Digits.Training).Depth;
        int[] depths = [2, 7, 25];
        IReadOnlyList<MapPrediction> walked = subject.Predict(point, [.. depths.Select(depth => (double)depth)]);
        Assert.All(depths.Zip(walked), item => Assert.Equal(profile.Layers[0].Log10GradientNorm - profile.Layers[item.First - 1].Log10GradientNorm, item.Second.Decades, 1e-6));
    }

    [Fact]
    public void AnInterruptedMapGoesOnWhereItWas()
    {
        TrainabilityMap map = Map(new ChainSubject(new Tanh(), new Sgd(0.02), SickNetworks.Digits, 1), "depth=2,4", "weight-variance=1,3");
        string path = Path.Combine(folder, "cells.csv");
        MapFile file = new(path, map, steps: 20, "accuracy");
        IReadOnlyList<MapCell> cells = map.Predict(), whole = map.Train(cells, 20, threads: 2);
        file.Open();
        using CancellationTokenSource interruption = new();
        int trained = 0;
        IReadOnlyList<MapCell> part = map.Train(cells, 20, threads: 1, (cell, _) =>
        {
            file.Append(cell);
            if (++trained == 2)
            {
                interruption.Cancel();
            }
        }, interruption.Token);
        Assert.Equal(2, part.Count(cell => cell.Outcome is not null));
        File.AppendAllText(path, "2,1,0.1,7"); // a line that was being written when the process was killed

        MapFile again = new(path, map, steps: 20, "accuracy");
        Dictionary<(double X, double Y), MapOutcome> known = again.Read();
        Assert.Equal(2, known.Count);
        again.Open();
        int more = 0;
        IReadOnlyList<MapCell> rest = map.Train([.. cells.Select(cell => known.TryGetValue((cell.X, cell.Y), out MapOutcome outcome) ? cell with { Outcome = outcome } : cell)], 20, threads: 2, (cell, _) => { more++; again.Append(cell); });
        Assert.Equal(2, more);
        Assert.Equal(whole.Select(cell => (cell.X, cell.Y, cell.Outcome!.Value.Score, cell.Outcome.Value.Loss)), rest.Select(cell => (cell.X, cell.Y, cell.Outcome!.Value.Score, cell.Outcome.Value.Loss)));
        Assert.Equal(4, again.Read().Count);
        again.Write(rest);
        Assert.Equal(3 + 4, File.ReadAllLines(path).Length);
    }

    [Fact]
    public void CellsOfAnotherMapAreRefused()
    {
        string path = Path.Combine(folder, "cells.csv");
        TrainabilityMap map = Map(new ChainSubject(new Tanh(), new Sgd(0.02), SickNetworks.Digits, 1), "depth=2,4", "weight-variance=1,3");
        MapCell trained = map.Predict()[0] with { Outcome = new MapOutcome(0.5, 0.5, 1, false, 0.1) };
        new MapFile(path, map, 20, "accuracy").Write([trained]);

        Assert.Equal($"{path}: its cells belong to another map (steps=20 there, steps=30 here); choose another path, or delete it", Assert.Throws<FormatException>(() => new MapFile(path, map, 30, "accuracy").Read()).Message);
        TrainabilityMap relu = Map(new ChainSubject(new Relu(), new Sgd(0.02), SickNetworks.Digits, 1), "depth=2,4", "weight-variance=1,3");
        Assert.Contains("(chain=tanh there, chain=relu here)", Assert.Throws<FormatException>(() => new MapFile(path, relu, 20, "accuracy").Read()).Message);
        File.WriteAllText(path, "a,b\n1,2\n");
        Assert.Contains("no file of fathom map", Assert.Throws<FormatException>(() => new MapFile(path, map, 20, "accuracy").Read()).Message);
    }

    /// <summary>A finer grid takes over the cells that it shares.</summary>
    [Fact]
    public void CellsOutsideTheGridStay()
    {
        string path = Path.Combine(folder, "cells.csv");
        ChainSubject subject = new(new Tanh(), new Sgd(0.02), SickNetworks.Digits, 1);
        TrainabilityMap wide = Map(subject, "depth=2,4,6", "weight-variance=1,3"), narrow = Map(subject, "depth=2,4", "weight-variance=1,3");
        MapOutcome outcome = new(0.5, 0.25, 1, false, 0.1);
        new MapFile(path, wide, 20, "accuracy").Write([.. wide.Predict().Select(cell => cell with { Outcome = outcome })]);
        MapFile file = new(path, narrow, 20, "accuracy");
        Assert.Equal(6, file.Read().Count);
        file.Write([.. narrow.Predict().Select(cell => cell with { Outcome = outcome })]);
        Assert.Equal(6, file.Read().Count);
    }

    [Theory]
    [InlineData(4.5)]
    [InlineData(8)]
    public void TheMultiplierIsFound(double multiplier)
    {
        TrainabilityMap map = Map(new ChainSubject(new Tanh(), new Sgd(), SickNetworks.Digits, 1), "depth=2..100:50", "weight-variance=1..4:13");
        MapCell[] cells = [.. map.Predict().Select(cell => cell with { Outcome = new MapOutcome(cell.X <= multiplier * cell.Prediction.CorrelationScale ? 1 : 0.1, 0, 0, false, 0) })];
        BoundaryFit fit = BoundaryFit.Of(map, cells, chance: 0.1)!;
        Assert.Equal(multiplier, fit.Multiplier, 0.1);
        Assert.InRange(multiplier, fit.Low - 0.2, fit.High + 0.2);
        Assert.Equal(1, fit.Agreement);
        Assert.Equal(0.55, fit.Threshold, 12);
        Assert.Null(BoundaryFit.Of(map, [.. cells.Select(cell => cell with { Outcome = cell.Outcome!.Value with { Score = 1 } })], 0.1));
    }

    /// <summary>On the edge of chaos a chain trains at a depth at which it does not far from it.</summary>
    [Fact]
    public void TrainingAgreesWithTheory()
    {
        TrainabilityMap map = Map(new ChainSubject(new Tanh(), new Sgd(0.02), SickNetworks.Digits, 1), "depth=4,40", "weight-variance=1,1.76");
        Dictionary<(double, double), double> scores = map.Train(map.Predict(), 300, threads: 2).ToDictionary(cell => (cell.X, cell.Y), cell => cell.Outcome!.Value.Score);
        Assert.InRange(scores[(4, 1)], 0.85, 1);
        Assert.InRange(scores[(40, 1.76)], 0.6, 1);
        Assert.InRange(scores[(40, 1)], 0, 0.3); // 6 ξc is 22 layers here
    }

    [Fact]
    public void AModelIsVariedAsAChainIs()
    {
        ModelDefinition model = SickNetworks.Chain(6, net => net.Tanh(), Fathom.Graphs.Initializers.VarianceScaling.LeCunNormal);
        ModelSubject subject = new(model, SickNetworks.Digits, "test");
        MapPoint point = new(ImmutableSortedDictionary<string, double>.Empty.Add("weight-variance", 2.5).Add("bias-variance", 0.05).Add("width", 48));
        ModelDefinition built = subject.Build(point.With(MapSetting.Depth, 9).With(MapSetting.LearningRate, 0.3).With(MapSetting.Batch, 16));
        Assert.Equal(9 + 1, built.Graph.Nodes.Count(node => node.Op is Dense));
        Assert.Equal(9, built.Graph.Nodes.Count(node => node.Op is Dense { Units: 48 }));
        Assert.Equal((0.3, 16), (built.Plan.Optimizer.LearningRate, built.Plan.BatchSize));
        // The chain's own theory, at the same point.
        Assert.Equal(11.8, subject.CorrelationScale(point), 0.1);
        Assert.Contains("no dropout layer", Assert.Throws<TrainingException>(() => subject.RequireSetting(MapSetting.Dropout)).Message);
    }

    private static TrainabilityMap Map(MapSubject subject, string x, string y) => new(subject, MapAxis.Parse(x), MapAxis.Parse(y), subject.Defaults);
}
