using System.Runtime.InteropServices;

namespace Fathom.Runs;

/// <summary>
/// Reads a run, finished, killed or still being written, without ever changing it. Each call sees a consistent state
/// of the run as it is at that moment; <see cref="Snapshot"/> makes several calls see the same one.
/// Use a reader from one thread at a time; open as many readers as you like.
/// </summary>
public sealed class RunReader : IDisposable
{
    private readonly SqliteDatabase _database;
    private readonly SqliteStatement _rowsOfStep;
    private bool _inSnapshot;

    private RunReader(SqliteDatabase database)
    {
        _database = database;
        Header = RunTables.ReadHeader(database);
        Columns = RunTables.ReadColumns(database);
        _rowsOfStep = database.Prepare("SELECT rows FROM detail WHERE step = ?1");
    }

    public RunHeader Header { get; }

    /// <summary>The watched tensors; a column's index here is the index of its <see cref="TensorRow"/>.</summary>
    public IReadOnlyList<TensorColumn> Columns { get; }

    /// <summary>One of <see cref="RunStatus"/>'s values; <see cref="RunStatus.Unfinished"/> while the run is written or after a kill.</summary>
    public string Status => _database.QueryText($"SELECT ifnull(status, '{RunStatus.Unfinished}') FROM run");

    /// <summary>When the run ended, or null while it has not.</summary>
    public DateTimeOffset? EndedUtc =>
        _database.QueryText("SELECT ifnull(ended_utc, '') FROM run") is { Length: > 0 } text ? RunFile.ParseUtc(text) : null;

    /// <summary>The last step recorded, or null before the first.</summary>
    public long? LastStep =>
        _database.QueryLong("SELECT ifnull(max(step), -1) FROM step") is long step and >= 0 ? step : null;

    /// <summary>Steps divisible by this, between the first and the latest ones, still have their detail.</summary>
    public long DetailStride => _database.QueryLong("SELECT detail_stride FROM run");

    /// <summary>Opens a run for reading.</summary>
    /// <exception cref="RunFileException">The file is missing, isn't a run, or is of a newer schema.</exception>
    public static RunReader Open(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        RunPath.RequireFile(path);
        SqliteDatabase database = OpenDatabase(path);
        try
        {
            RunFile.RequireRun(database);
            return new RunReader(database);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Until the result is disposed, all calls see the run as it is now. Keep it short while the run is written: the
    /// WAL file beside the run cannot be reused meanwhile, and grows.
    /// </summary>
    public IDisposable Snapshot()
    {
        if (_inSnapshot)
        {
            throw new InvalidOperationException("The reader already is in a snapshot; dispose that one first.");
        }

        _database.Execute("BEGIN");
        // BEGIN alone fixes nothing: the state seen is that of the first read.
        _database.QueryLong("SELECT count(*) FROM run");
        _inSnapshot = true;
        return new SnapshotScope(this);
    }

    /// <summary>The scalars of the steps from first to last, both included, in rising order.</summary>
    public IReadOnlyList<StepRow> Steps(long from = 0, long to = long.MaxValue)
    {
        using SqliteStatement row = _database.Prepare("""
            SELECT step, epoch, loss, learning_rate, gradient_norm, clipped_gradient_norm, elapsed_ms
            FROM step WHERE step BETWEEN ?1 AND ?2 ORDER BY step
            """);
        row.Bind(1, from).Bind(2, to);
        List<StepRow> steps = [];
        while (row.Step())
        {
            steps.Add(new StepRow(
                row.Long(0), (int)row.Long(1), row.Double(2), row.Double(3), row.Double(4), row.Double(5), row.Double(6)));
        }

        return steps;
    }

    /// <summary>The steps whose tensor rows are in the file, in rising order.</summary>
    public IReadOnlyList<long> DetailSteps(long from = 0, long to = long.MaxValue)
    {
        using SqliteStatement row = _database.Prepare("SELECT step FROM detail WHERE step BETWEEN ?1 AND ?2 ORDER BY step");
        row.Bind(1, from).Bind(2, to);
        List<long> steps = [];
        while (row.Step())
        {
            steps.Add(row.Long(0));
        }

        return steps;
    }

    /// <summary>Reads a step's tensor rows; false when the step has none (not measured, thinned out, or no such step).</summary>
    /// <param name="step">The step.</param>
    /// <param name="rows">At least as long as <see cref="Columns"/>; its first elements are filled in that order.</param>
    public bool ReadTensorRows(long step, Span<TensorRow> rows)
    {
        if (rows.Length < Columns.Count)
        {
            throw new ArgumentException($"The run has {Columns.Count} columns; the span has room for {rows.Length}.", nameof(rows));
        }

        _rowsOfStep.Bind(1, step);
        try
        {
            if (!_rowsOfStep.Step())
            {
                return false;
            }

            RowsOf(_rowsOfStep.Blob(0), step).CopyTo(rows);
            return true;
        }
        finally
        {
            _rowsOfStep.Reset();
        }
    }

    /// <summary>
    /// Passes the tensor rows of every step that has them to the visitor, in one pass over the file; the cheapest way
    /// to build many series at once.
    /// </summary>
    public void VisitTensorRows(long from, long to, TensorRowsVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        using SqliteStatement row = _database.Prepare("SELECT step, rows FROM detail WHERE step BETWEEN ?1 AND ?2 ORDER BY step");
        row.Bind(1, from).Bind(2, to);
        while (row.Step())
        {
            visitor(row.Long(0), RowsOf(row.Blob(1), row.Long(0)));
        }
    }

    /// <summary>One statistic of one tensor over all steps that have it; steps at which it was not measured are left out.</summary>
    public IReadOnlyList<SeriesPoint> Series(int columnIndex, Func<TensorRow, double> selector)
    {
        ArgumentNullException.ThrowIfNull(selector);
        ArgumentOutOfRangeException.ThrowIfNegative(columnIndex);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(columnIndex, Columns.Count);
        List<SeriesPoint> points = [];
        VisitTensorRows(0, long.MaxValue, (step, rows) =>
        {
            if (rows[columnIndex].Count != 0)
            {
                points.Add(new SeriesPoint(step, selector(rows[columnIndex])));
            }
        });
        return points;
    }

    /// <summary>The counts by bin of one tensor's exponents at one step, or null when none were recorded or kept.</summary>
    public uint[]? ReadHistogram(long step, int columnIndex)
    {
        using SqliteStatement row = _database.Prepare("SELECT bins FROM histogram WHERE step = ?1 AND idx = ?2");
        row.Bind(1, step).Bind(2, columnIndex);
        return row.Step()
            ? ExponentHistogram.Decode(row.Blob(0)) ?? throw Damaged($"the histogram of step {step}, column {columnIndex}")
            : null;
    }

    /// <summary>All evaluations, in the order in which they were recorded.</summary>
    public IReadOnlyList<EvaluationRow> Evaluations() =>
        All(
            "SELECT step, epoch, split, loss, metric, metric_name FROM evaluation ORDER BY id",
            r => new EvaluationRow(r.Long(0), (int)r.Long(1), r.Text(2), r.Double(3), r.Double(4), r.Text(5)));

    /// <summary>The findings that hold at the end or now, as a JSON array, causes first, each with its consequences; null if the run says nothing of it, as those of earlier versions do.</summary>
    public string? Diagnosis() =>
        _database.QueryLong("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'diagnosis'") == 0 ? null
            : _database.QueryText("SELECT ifnull((SELECT json FROM diagnosis ORDER BY id DESC LIMIT 1), '')") is { Length: > 0 } json ? json : null;

    /// <summary>All findings, in the order in which they were recorded.</summary>
    public IReadOnlyList<FindingRow> Findings() =>
        All(
            "SELECT step, rule, severity, cause, confidence, json FROM finding ORDER BY id",
            r => new FindingRow(r.Long(0), r.Text(1), r.Text(2), r.Text(3), r.Double(4), r.Text(5)));

    /// <summary>All events, in the order in which they were recorded.</summary>
    public IReadOnlyList<EventRow> Events() =>
        All(
            "SELECT step, kind, text, utc FROM event ORDER BY id",
            r => new EventRow(r.Long(0), r.Text(1), r.Text(2), RunFile.ParseUtc(r.Text(3))));

    public void Dispose()
    {
        _rowsOfStep.Dispose();
        _database.Dispose();
    }

    private static SqliteDatabase OpenDatabase(string path)
    {
        SqliteDatabase? database = null;
        try
        {
            database = SqliteDatabase.OpenReadOnly(path);
            // The first read is what opens the WAL and its index.
            database.QueryLong("SELECT count(*) FROM sqlite_schema");
            return database;
        }
        catch (RunFileException e) when ((e.SqliteCode & 0xFF) is SQLitePCL.raw.SQLITE_CANTOPEN or SQLitePCL.raw.SQLITE_READONLY)
        {
            // The index cannot be made: the folder is read-only, so nobody is writing the run either.
            database?.Dispose();
            return OpenWhereNothingMayBeWritten(path);
        }
        catch
        {
            database?.Dispose();
            throw;
        }
    }

    private static SqliteDatabase OpenWhereNothingMayBeWritten(string path)
    {
        FileInfo wal = new(path + "-wal");
        if (!wal.Exists || wal.Length == 0)
        {
            return SqliteDatabase.OpenImmutable(path);
        }

        DirectoryInfo folder = Directory.CreateTempSubdirectory("fathom-run-");
        try
        {
            string copy = Path.Combine(folder.FullName, "copy.run");
            CopyContents(path, copy);
            CopyContents(wal.FullName, copy + "-wal");
            return SqliteDatabase.OpenCopy(path, copy, () => folder.Delete(recursive: true));
        }
        catch (Exception e)
        {
            folder.Delete(recursive: true);
            if (e is UnauthorizedAccessException)
            {
                throw new RunFileException($"'{path}' cannot be opened; check that the file and its folder may be read.", e);
            }

            throw;
        }
    }

    /// <summary>File.Copy would copy the read-only permission too, and SQLite could not recover the copy's WAL.</summary>
    private static void CopyContents(string from, string to)
    {
        using FileStream source = new(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using FileStream target = new(to, FileMode.CreateNew, FileAccess.Write);
        source.CopyTo(target);
    }

    private ReadOnlySpan<TensorRow> RowsOf(ReadOnlySpan<byte> blob, long step)
    {
        if (blob.Length != Columns.Count * TensorRow.SizeInBytes)
        {
            throw Damaged($"the tensor rows of step {step}");
        }

        return MemoryMarshal.Cast<byte, TensorRow>(blob);
    }

    private RunFileException Damaged(string what) =>
        new($"'{_database.Path}' is damaged: {what} cannot be decoded. Restore it from a copy.");

    private List<T> All<T>(string sql, Func<SqliteStatement, T> read)
    {
        using SqliteStatement row = _database.Prepare(sql);
        List<T> rows = [];
        while (row.Step())
        {
            rows.Add(read(row));
        }

        return rows;
    }

    private sealed class SnapshotScope(RunReader reader) : IDisposable
    {
        public void Dispose()
        {
            if (reader._inSnapshot)
            {
                reader._inSnapshot = false;
                reader._database.Rollback();
            }
        }
    }
}
