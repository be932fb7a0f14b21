namespace Fathom.Runs;

/// <summary>
/// Keeps the file under its byte budget by dropping the detail of steps, in the transaction of the step being written.
/// </summary>
/// <remarks>
/// The detail of step t stays when t is protected (one of the first steps, or pinned), one of the latest steps, or
/// divisible by the stride. The stride starts at 1 and doubles whenever the file passes a threshold; a sweep then
/// visits a few older steps per step written, so the cost per step is bounded, with no pause however long the run.
/// Pages that a dropped detail frees are used again by SQLite, so the file stops growing.
/// </remarks>
internal sealed class DetailThinning : IDisposable
{
    private const int SweptPerStep = 4;
    private const int MostStepsBetweenChecks = 16;
    private const long MaxStride = 1L << 40;

    private readonly RunWriterOptions _options;
    private readonly PinnedSteps _pins = new();
    private readonly long[] _recent;
    private readonly long[] _swept = new long[SweptPerStep];
    private readonly SqliteStatement _deleteDetail;
    private readonly SqliteStatement _deleteHistograms;
    private readonly SqliteStatement _nextDetails;
    private readonly SqliteStatement _pageCount;
    private readonly SqliteStatement _freePages;
    private readonly SqliteStatement _storeStride;
    private readonly SqliteStatement _insertPin;
    private readonly long _pageSize;
    private readonly int _stepsBetweenChecks;

    private int _recentStart;
    private int _recentCount;
    private long _firstStep;
    private long _stride;
    private long _threshold;
    private long _sweepCursor;
    private bool _sweeping;

    public DetailThinning(SqliteDatabase database, RunWriterOptions options)
    {
        _options = options;
        _recent = new long[options.RecentSteps];
        // Where few steps of detail fill a quarter of the budget, 16 of them would overshoot the threshold by far.
        _stepsBetweenChecks = Math.Clamp(options.RecentSteps / 8, 1, MostStepsBetweenChecks);
        _deleteDetail = database.Prepare("DELETE FROM detail WHERE step = ?1");
        _deleteHistograms = database.Prepare("DELETE FROM histogram WHERE step = ?1");
        _nextDetails = database.Prepare($"SELECT step FROM detail WHERE step > ?1 AND step < ?2 ORDER BY step LIMIT {SweptPerStep}");
        _pageCount = database.Prepare("PRAGMA page_count");
        _freePages = database.Prepare("PRAGMA freelist_count");
        _storeStride = database.Prepare("UPDATE run SET detail_stride = ?1");
        _insertPin = database.Prepare("INSERT INTO pin(first, last) VALUES (?1, ?2)");
        _pageSize = database.QueryLong("PRAGMA page_size");
        _threshold = options.ByteBudget / 2;
        Restore(database);
    }

    /// <summary>Keeps the detail of these steps for good, as far as it is still there.</summary>
    public void Pin(long first, long last)
    {
        _insertPin.Bind(1, first).Bind(2, last).Execute();
        _pins.Add(first, last);
    }

    /// <summary>Call in the step's transaction, after its rows were written.</summary>
    public void Advance(long step, bool hasDetail)
    {
        if (_firstStep < 0)
        {
            _firstStep = step;
        }

        if (hasDetail && PushRecent(step) is long leaving and >= 0 && _stride > 1 && !IsKept(leaving))
        {
            Drop(leaving);
        }

        if (_sweeping)
        {
            Sweep();
        }
        else if (step % _stepsBetweenChecks == 0 && UsedBytes() >= _threshold && _stride < MaxStride)
        {
            _stride *= 2;
            _storeStride.Bind(1, _stride).Execute();
            StartSweep();
        }
    }

    public void Dispose()
    {
        _deleteDetail.Dispose();
        _deleteHistograms.Dispose();
        _nextDetails.Dispose();
        _pageCount.Dispose();
        _freePages.Dispose();
        _storeStride.Dispose();
        _insertPin.Dispose();
    }

    /// <summary>Takes up where an earlier writer stopped. An unfinished sweep starts over, which drops nothing new.</summary>
    private void Restore(SqliteDatabase database)
    {
        _stride = database.QueryLong("SELECT detail_stride FROM run");
        _firstStep = database.QueryLong("SELECT ifnull(min(step), -1) FROM step");
        using (SqliteStatement pins = database.Prepare("SELECT first, last FROM pin"))
        {
            while (pins.Step())
            {
                _pins.Add(pins.Long(0), pins.Long(1));
            }
        }

        using SqliteStatement recent = database.Prepare(
            "SELECT step FROM (SELECT step FROM detail ORDER BY step DESC LIMIT ?1) ORDER BY step");
        recent.Bind(1, _recent.Length);
        while (recent.Step())
        {
            PushRecent(recent.Long(0));
        }

        if (_stride > 1)
        {
            StartSweep();
        }
    }

    /// <summary>Adds a step to the latest ones and returns the one it pushes out, or -1.</summary>
    private long PushRecent(long step)
    {
        if (_recentCount < _recent.Length)
        {
            _recent[(_recentStart + _recentCount++) % _recent.Length] = step;
            return -1;
        }

        long leaving = _recent[_recentStart];
        _recent[_recentStart] = step;
        _recentStart = (_recentStart + 1) % _recent.Length;
        return leaving;
    }

    private bool IsKept(long step) =>
        step < _firstStep + _options.ProtectedSteps || (step & (_stride - 1)) == 0 || _pins.Contains(step);

    private void StartSweep()
    {
        _sweeping = true;
        _sweepCursor = _firstStep + _options.ProtectedSteps - 1;
    }

    private void Sweep()
    {
        int found = 0;
        long end = _recentCount == 0 ? long.MaxValue : _recent[_recentStart];
        _nextDetails.Bind(1, _sweepCursor).Bind(2, end);
        while (_nextDetails.Step())
        {
            _swept[found++] = _nextDetails.Long(0);
        }

        _nextDetails.Reset();
        for (int i = 0; i < found; i++)
        {
            if (!IsKept(_swept[i]))
            {
                Drop(_swept[i]);
            }
        }

        if (found == SweptPerStep)
        {
            _sweepCursor = _swept[found - 1];
            return;
        }

        _sweeping = false;
        // What cannot be thinned (scalars, pins) may take more than half the budget. Doubling again at once would then
        // leave no detail at all for the rest of the run; going half of the way to the budget shares out what is left.
        long used = UsedBytes();
        long half = _options.ByteBudget / 2;
        _threshold = used <= half * 3 / 4 ? half : (used + _options.ByteBudget) / 2;
    }

    private void Drop(long step)
    {
        _deleteDetail.Bind(1, step).Execute();
        _deleteHistograms.Bind(1, step).Execute();
    }

    private long UsedBytes() => (ReadLong(_pageCount) - ReadLong(_freePages)) * _pageSize;

    private static long ReadLong(SqliteStatement statement)
    {
        statement.Step();
        long value = statement.Long(0);
        statement.Reset();
        return value;
    }
}
