using System.Collections.Concurrent;
using System.Diagnostics;
using Fathom.Compute;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Maps;

/// <summary>How far a map has come.</summary>
/// <param name="Done">Cells that are done.</param>
/// <param name="Total">Cells in all.</param>
public readonly record struct MapProgress(int Done, int Total);

/// <summary>
/// The trainability diagram over two settings: what theory expects of each cell, and on request what short training gives.
/// Schoenholz et al. 2017, figure 5.
/// </summary>
/// <param name="subject">What it is drawn of.</param>
/// <param name="x">Axis to the right.</param>
/// <param name="y">Axis upwards.</param>
/// <param name="fixedPoint">The values of the settings that stay.</param>
public sealed class TrainabilityMap(MapSubject subject, MapAxis x, MapAxis y, MapPoint fixedPoint)
{
    public MapSubject Subject { get; } = subject;

    public MapAxis X { get; } = x;

    public MapAxis Y { get; } = y;

    public MapPoint Fixed { get; } = fixedPoint;

    /// <summary>The settings of a cell.</summary>
    public MapPoint At(double x, double y) => Fixed.With(X.Setting, x).With(Y.Setting, y);

    /// <summary>Theory's word on every cell, row by row of Y from its least value.</summary>
    /// <param name="progress">Told after each stretch of cells, one at a time.</param>
    /// <param name="cancellation">Ends it with <see cref="OperationCanceledException"/>.</param>
    public IReadOnlyList<MapCell> Predict(Action<MapProgress>? progress = null, CancellationToken cancellation = default)
    {
        MapCell[] cells = new MapCell[X.Values.Length * Y.Values.Length];
        bool depthIsX = X.Setting == MapSetting.Depth, depthIsY = Y.Setting == MapSetting.Depth;
        IReadOnlyList<double>? depths = depthIsX ? X.Values : depthIsY ? Y.Values : null;
        // One prediction serves all depths, and all values of a setting that theory does not know.
        (int Column, int Row)[] heads = [.. from row in Enumerable.Range(0, depthIsY ? 1 : Y.Values.Length) from column in Enumerable.Range(0, depthIsX ? 1 : X.Values.Length) select (column, row)];
        ConcurrentDictionary<(double, double), IReadOnlyList<MapPrediction>> known = [];
        int done = 0;
        Lock gate = new();
        Parallel.ForEach(heads, new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount }, head =>
        {
            MapPoint point = At(X.Values[head.Column], Y.Values[head.Row]);
            (double, double) key = (X.Setting.MovesTheory ? point[X.Setting] : 0, Y.Setting.MovesTheory ? point[Y.Setting] : 0);
            IReadOnlyList<MapPrediction> predictions = known.GetOrAdd(key, _ => Subject.Predict(point, depths));
            for (int i = 0; i < predictions.Count; i++)
            {
                (int column, int row) = (depthIsX ? i : head.Column, depthIsY ? i : head.Row);
                cells[row * X.Values.Length + column] = new MapCell(X.Values[column], Y.Values[row], predictions[i], null);
            }
            lock (gate)
            {
                progress?.Invoke(new MapProgress(done += predictions.Count, cells.Length));
            }
        });
        return cells;
    }

    /// <summary>Trains every cell that has no outcome yet, several at a time, each on one thread; the result of a cell depends on its settings alone.</summary>
    /// <param name="cells">The cells.</param>
    /// <param name="steps">Training steps of a cell.</param>
    /// <param name="threads">Cells at a time.</param>
    /// <param name="finished">Told of each cell as it is done, one at a time.</param>
    /// <param name="cancellation">Ends it; cells under way are dropped.</param>
    /// <returns>The cells with the outcomes that there are.</returns>
    public IReadOnlyList<MapCell> Train(IReadOnlyList<MapCell> cells, long steps, int threads, Action<MapCell, MapProgress>? finished = null, CancellationToken cancellation = default)
    {
        MapCell[] results = [.. cells];
        // Dear cells first, so that no thread is left with one at the end.
        int[] open = [.. Enumerable.Range(0, results.Length).Where(i => results[i].Outcome is null).OrderByDescending(i => At(results[i].X, results[i].Y).Find(MapSetting.Depth) ?? 0)];
        int done = results.Length - open.Length;
        Lock gate = new();
        try
        {
            Parallel.ForEach(Partitioner.Create(open, EnumerablePartitionerOptions.NoBuffering), new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, i =>
            {
                if (TrainCell(At(results[i].X, results[i].Y), steps, cancellation) is not { } outcome)
                {
                    return;
                }
                lock (gate)
                {
                    results[i] = results[i] with { Outcome = outcome };
                    finished?.Invoke(results[i], new MapProgress(++done, results.Length));
                }
            });
        }
        catch (OperationCanceledException)
        {
            // What is done is kept; the caller sees which cells are not.
        }
        return results;
    }

    /// <summary>Trains one cell; null if it was interrupted.</summary>
    private MapOutcome? TrainCell(MapPoint point, long steps, CancellationToken cancellation)
    {
        long started = Stopwatch.GetTimestamp();
        ModelDefinition model = Subject.Build(point);
        DataSplit data = Subject.Data!;
        int perEpoch = Math.Max(1, data.Training.Count / Math.Max(1, Math.Min(model.Plan.BatchSize, data.Training.Count)));
        model = model with { Plan = model.Plan with { Epochs = (int)Math.Min(int.MaxValue, steps / perEpoch + 1) } };
        using WorkerPool pool = new(1);
        using TrainingSession session = new(model, data, pool, watch: false);
        bool diverged = false;
        while (session.NextStep < steps && !diverged)
        {
            if (cancellation.IsCancellationRequested)
            {
                return null;
            }
            StepResult step = session.Step();
            diverged = !double.IsFinite(step.Loss) || !double.IsFinite(step.ClippedNorm);
        }
        (Evaluation training, Evaluation validation) = (session.Evaluate(data.Training), session.Evaluate(data.Validation));
        diverged |= !double.IsFinite(training.Loss);
        return new MapOutcome(Score(training, diverged), Score(validation, diverged), training.Loss, diverged, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    /// <summary>A network of NaNs still names some class: a share that says nothing.</summary>
    private static double Score(Evaluation evaluation, bool diverged) => diverged || double.IsNaN(evaluation.Metric) ? 0 : evaluation.Metric;
}
