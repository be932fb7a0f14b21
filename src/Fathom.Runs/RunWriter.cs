using System.Runtime.InteropServices;

namespace Fathom.Runs;

/// <summary>
/// Writes one run while it trains. What a call wrote is in the file when the call returns: a process killed at any
/// moment loses at most the step in hand. Calls may come from several threads; they take turns.
/// </summary>
/// <remarks>
/// <see cref="AppendStep"/> and <see cref="AppendHistograms"/> allocate nothing on the managed heap once warm. After an
/// error of the file (disk full, device gone) the writer refuses all further calls, so that a run never has a gap.
/// </remarks>
public sealed class RunWriter : IDisposable
{
    /// <summary>The size of the WAL from which it is moved into the file.</summary>
    private const long CheckpointBytes = 16 << 20;

    private readonly Lock _gate = new();
    private readonly SqliteDatabase _database;
    private readonly RunWriterOptions _options;
    private readonly DetailThinning _thinning;
    private readonly PendingHistograms _pending = new();
    private readonly SqliteStatement _begin;
    private readonly SqliteStatement _commit;
    private readonly SqliteStatement _insertStep;
    private readonly SqliteStatement _insertDetail;
    private readonly SqliteStatement _insertHistogram;

    private long _lastStep;
    private string? _failure;
    private bool _disposed;

    private RunWriter(SqliteDatabase database, RunWriterOptions options)
    {
        _database = database;
        Header = RunTables.ReadHeader(database);
        Columns = RunTables.ReadColumns(database);
        _lastStep = database.QueryLong("SELECT ifnull(max(step), -1) FROM step");
        _options = options.For(Columns.Count);
        _thinning = new DetailThinning(database, _options);
        _begin = database.Prepare("BEGIN IMMEDIATE");
        _commit = database.Prepare("COMMIT");
        _insertStep = database.Prepare("INSERT INTO step VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
        _insertDetail = database.Prepare("INSERT INTO detail VALUES (?1, ?2)");
        _insertHistogram = database.Prepare("INSERT OR REPLACE INTO histogram VALUES (?1, ?2, ?3)");
    }

    public RunHeader Header { get; }

    public IReadOnlyList<TensorColumn> Columns { get; }

    /// <summary>The last step recorded, or null before the first.</summary>
    public long? LastStep => _lastStep < 0 ? null : _lastStep;

    /// <summary>
    /// Creates a run file. An existing run is replaced only when <paramref name="overwrite"/> is true and no other
    /// program has it open; any other existing file is left alone, unless it is empty.
    /// </summary>
    /// <exception cref="RunFileException">The folder is missing, or the path is taken.</exception>
    public static RunWriter Create(
        string path,
        RunHeader header,
        IReadOnlyList<TensorColumn> tensors,
        bool overwrite = false,
        RunWriterOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ArgumentNullException.ThrowIfNull(header);
        ArgumentNullException.ThrowIfNull(tensors);
        options ??= new RunWriterOptions();
        options.Validate();
        RunPath.Clear(path, overwrite);
        return Open(path, create: true, options, database => RunTables.Create(database, header, tensors));
    }

    /// <summary>
    /// Continues an existing run after <paramref name="fromStep"/>, the step of the checkpoint that training resumes
    /// from (-1 to start over): what is recorded up to it stays; later steps with their detail, evaluations and
    /// findings go, in one transaction that also notes the resumption as an event and reopens the run's status.
    /// </summary>
    /// <exception cref="RunFileException">
    /// The file is missing, isn't a run, ends before <paramref name="fromStep"/>, or watches other tensors than
    /// <paramref name="tensors"/> (not compared when null).
    /// </exception>
    public static RunWriter Append(
        string path,
        long fromStep,
        IReadOnlyList<TensorColumn>? tensors = null,
        RunWriterOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ArgumentOutOfRangeException.ThrowIfLessThan(fromStep, -1);
        options ??= new RunWriterOptions();
        options.Validate();
        RunPath.RequireFile(path);
        return Open(path, create: false, options, database =>
        {
            RunFile.RequireRun(database);
            if (tensors is not null && !tensors.SequenceEqual(RunTables.ReadColumns(database)))
            {
                throw new RunFileException(
                    $"'{path}' watches other tensors than the model to resume; resume with the run's own model, or start a new run.");
            }

            RunTables.RemoveAfter(database, fromStep);
        });
    }

    /// <summary>Records one step: its scalars, its tensors, and the histograms given for it before.</summary>
    /// <param name="step">Its number must be greater than that of every step before.</param>
    /// <param name="tensors">One row per column in the order of <see cref="Columns"/>, or none for a step without detail.</param>
    public void AppendStep(in StepRow step, ReadOnlySpan<TensorRow> tensors)
    {
        lock (_gate)
        {
            RequireOpen();
            if (step.Step <= _lastStep || step.Step < 0)
            {
                throw new ArgumentException($"Steps must rise from 0: the last one recorded is {_lastStep}, this one is {step.Step}.", nameof(step));
            }

            if (tensors.Length != 0 && tensors.Length != Columns.Count)
            {
                throw new ArgumentException(
                    $"Step {step.Step} has {tensors.Length} tensor rows; the run has {Columns.Count} columns. Give one row for each, or none.", nameof(tensors));
            }

            _pending.RequireStep(step.Step);
            try
            {
                _begin.Execute();
                WriteStep(step, tensors);
                _commit.Execute();
            }
            catch (RunFileException e)
            {
                throw Fail(e);
            }

            _lastStep = step.Step;
            _pending.Clear();
        }
    }

    /// <summary>
    /// Records how often each binary exponent occurs in a tensor. For the step in hand, call it before
    /// <see cref="AppendStep"/>, which then writes both in one transaction; a step already recorded takes it at once.
    /// </summary>
    /// <param name="step">The step in hand, or one recorded before.</param>
    /// <param name="columnIndex">The tensor's index in <see cref="Columns"/>.</param>
    /// <param name="exponents">Counts by bin, at most 65,535 bins; empty bins take no space.</param>
    public void AppendHistograms(long step, int columnIndex, ReadOnlySpan<uint> exponents)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(exponents.Length, ushort.MaxValue);
        lock (_gate)
        {
            RequireOpen();
            ArgumentOutOfRangeException.ThrowIfNegative(columnIndex);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(columnIndex, Columns.Count);
            if (step > _lastStep)
            {
                _pending.Add(step, columnIndex, exponents);
                return;
            }

            Span<byte> bytes = new byte[ExponentHistogram.MaxSize(exponents.Length)];
            int length = ExponentHistogram.Encode(exponents, bytes);
            Guarded(_insertHistogram.Bind(1, step).Bind(2, columnIndex).Bind(3, bytes[..length]));
        }
    }

    /// <summary>
    /// Keeps the detail of the steps within <paramref name="radius"/> of <paramref name="step"/> for good. Reaches back
    /// as far as detail is still there (always <see cref="RunWriterOptions.RecentSteps"/> steps), and forward to steps
    /// not yet written. The radius is no larger than the number of recent steps, which a network of very many tensors has
    /// fewer of.
    /// </summary>
    public void Pin(long step, long radius)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentOutOfRangeException.ThrowIfNegative(radius);
        radius = Math.Min(radius, _options.RecentSteps);
        lock (_gate)
        {
            RequireOpen();
            try
            {
                _thinning.Pin(Math.Max(0, step - radius), step > long.MaxValue - radius ? long.MaxValue : step + radius);
            }
            catch (RunFileException e)
            {
                throw Fail(e);
            }
        }
    }

    public void AppendEvaluation(long step, int epoch, string split, double loss, double metric, string metricName) =>
        Insert(
            "INSERT INTO evaluation(step, epoch, split, loss, metric, metric_name) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            s => s.Bind(1, step).Bind(2, epoch).Bind(3, split).Bind(4, loss).Bind(5, metric).Bind(6, metricName));

    /// <summary>Records what a rule found. To keep the tensor rows around it, call <see cref="Pin"/> too.</summary>
    public void AppendFinding(long step, string rule, string severity, string cause, double confidence, string json) =>
        Insert(
            "INSERT INTO finding(step, rule, severity, cause, confidence, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            s => s.Bind(1, step).Bind(2, rule).Bind(3, severity).Bind(4, cause).Bind(5, confidence).Bind(6, json));

    /// <summary>Records how the findings hang together from a step on.</summary>
    /// <param name="step">The step; −1 for before training.</param>
    /// <param name="json">An array of findings, causes first, each with its consequences.</param>
    public void AppendDiagnosis(long step, string json) =>
        Insert("INSERT INTO diagnosis(step, json) VALUES (?1, ?2)", s => s.Bind(1, step).Bind(2, json));

    public void AppendEvent(long step, string kind, string text) =>
        Insert(
            RunTables.InsertEvent,
            s => s.Bind(1, step).Bind(2, kind).Bind(3, text).Bind(4, RunFile.FormatUtc(DateTimeOffset.UtcNow)));

    /// <summary>Says how the run ended: one of <see cref="RunStatus"/>'s values other than unfinished.</summary>
    public void Complete(string status)
    {
        if (!RunStatus.IsFinal(status))
        {
            throw new ArgumentException($"A run ends as completed, interrupted, diverged or failed, not as '{status}'.", nameof(status));
        }

        Insert(
            "UPDATE run SET status = ?1, ended_utc = ?2",
            s => s.Bind(1, status).Bind(2, RunFile.FormatUtc(DateTimeOffset.UtcNow)));
    }

    /// <summary>
    /// Moves everything into the one file and removes SQLite's side files, unless a reader has the run open: then they
    /// stay, and the run is just as complete. Never throws; histograms of a step never appended are dropped.
    /// </summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            foreach (SqliteStatement statement in (SqliteStatement[])[_begin, _commit, _insertStep, _insertDetail, _insertHistogram])
            {
                statement.Dispose();
            }

            _thinning.Dispose();
            LeaveWal();
            _database.Dispose();
        }
    }

    private static RunWriter Open(string path, bool create, RunWriterOptions options, Action<SqliteDatabase> prepare)
    {
        if (!BitConverter.IsLittleEndian)
        {
            throw new PlatformNotSupportedException("Run files are written in the machine's byte order, which must be little-endian.");
        }

        SqliteDatabase database = SqliteDatabase.OpenReadWrite(path, create);
        try
        {
            prepare(database);
            EnterWal(database);
            return new RunWriter(database, options);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    private static void EnterWal(SqliteDatabase database)
    {
        string mode = database.QueryText("PRAGMA journal_mode = WAL");
        if (mode != "wal")
        {
            throw new RunFileException(
                $"'{database.Path}' lies on a file system without shared memory (SQLite's WAL mode is refused); put the run on a local disk.");
        }

        // NORMAL: a commit is a write() to the WAL, safe from SIGKILL; the disk is synchronised at checkpoints only,
        // so that a power failure may cost the last steps but never the file. Checkpoints wait for the disk, so they
        // are rarer than SQLite's default of 1000 pages.
        long pages = CheckpointBytes / database.QueryLong("PRAGMA page_size");
        database.Execute($"PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = {pages}; PRAGMA journal_size_limit = 67108864");
    }

    private void LeaveWal()
    {
        try
        {
            _database.Rollback();
            _database.WaitWhenBusy(1000);
            _database.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
            _database.Execute("PRAGMA journal_mode = DELETE");
        }
        catch (RunFileException)
        {
            // A reader is at work or the disk is full: the WAL file stays beside the run, complete and readable.
        }
    }

    private void WriteStep(in StepRow step, ReadOnlySpan<TensorRow> tensors)
    {
        _insertStep
            .Bind(1, step.Step)
            .Bind(2, step.Epoch)
            .Bind(3, step.Loss)
            .Bind(4, step.LearningRate)
            .Bind(5, step.GradientNorm)
            .Bind(6, step.ClippedGradientNorm)
            .Bind(7, step.ElapsedMilliseconds)
            .Execute();
        if (tensors.Length != 0)
        {
            _insertDetail.Bind(1, step.Step).Bind(2, MemoryMarshal.AsBytes(tensors)).Execute();
        }

        for (int i = 0; i < _pending.Count; i++)
        {
            _insertHistogram.Bind(1, step.Step).Bind(2, _pending.Column(i)).Bind(3, _pending.Bytes(i)).Execute();
        }

        _thinning.Advance(step.Step, tensors.Length != 0);
    }

    private void Insert(string sql, Action<SqliteStatement> bind)
    {
        lock (_gate)
        {
            RequireOpen();
            using SqliteStatement statement = _database.Prepare(sql);
            bind(statement);
            Guarded(statement);
        }
    }

    private void Guarded(SqliteStatement statement)
    {
        try
        {
            statement.Execute();
        }
        catch (RunFileException e)
        {
            throw Fail(e);
        }
    }

    private RunFileException Fail(RunFileException error)
    {
        _failure = error.Message;
        _database.Rollback();
        return error;
    }

    private void RequireOpen()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_failure is not null)
        {
            throw new RunFileException($"The run is no longer recorded after an earlier error: {_failure}");
        }
    }
}
