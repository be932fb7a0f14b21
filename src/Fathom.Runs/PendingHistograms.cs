namespace Fathom.Runs;

/// <summary>The histograms of the step in hand, encoded, until the step itself is written. Its buffers are reused.</summary>
internal sealed class PendingHistograms
{
    private byte[] _bytes = [];
    private (int Column, int Start, int Length)[] _entries = [];
    private long _step;
    private int _used;

    public int Count { get; private set; }

    public void Add(long step, int column, ReadOnlySpan<uint> bins)
    {
        if (Count != 0 && step != _step)
        {
            throw new ArgumentException($"Histograms of step {_step} wait for that step to be appended; got one of step {step}.", nameof(step));
        }

        _step = step;
        int need = _used + ExponentHistogram.MaxSize(bins.Length);
        if (need > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(need, 2 * _bytes.Length));
        }

        if (Count == _entries.Length)
        {
            Array.Resize(ref _entries, Math.Max(16, 2 * Count));
        }

        int length = ExponentHistogram.Encode(bins, _bytes.AsSpan(_used));
        _entries[Count++] = (column, _used, length);
        _used += length;
    }

    /// <summary>Throws when histograms wait for another step than this one.</summary>
    public void RequireStep(long step)
    {
        if (Count != 0 && step != _step)
        {
            throw new ArgumentException($"Histograms of step {_step} were given, but step {step} is appended.", nameof(step));
        }
    }

    public int Column(int index) => _entries[index].Column;

    public ReadOnlySpan<byte> Bytes(int index) => _bytes.AsSpan(_entries[index].Start, _entries[index].Length);

    public void Clear()
    {
        Count = 0;
        _used = 0;
    }
}
