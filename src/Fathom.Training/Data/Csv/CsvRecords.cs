namespace Fathom.Training.Data.Csv;

/// <summary>
/// Cuts a stream into records. A record ends at a line feed outside quotes; blank lines are skipped. Works on bytes in
/// one buffer that grows only for a record longer than it.
/// </summary>
internal sealed class CsvRecords(Stream stream, string file)
{
    private const int LongestRecord = 1 << 26;

    private byte[] buffer = new byte[1 << 16];
    private int start;
    private int end;
    private bool opened;
    private bool ended;
    private int nextLine = 1;

    /// <summary>The line, from 1, on which the current record starts.</summary>
    public int Line { get; private set; }

    /// <summary>The next record that is not blank, without its line end; valid until the next call.</summary>
    public bool Read(out ReadOnlySpan<byte> record)
    {
        while (ReadAny(out record))
        {
            if (record.ContainsAnyExcept(" \t\r"u8))
            {
                return true;
            }
        }
        return false;
    }

    private bool ReadAny(out ReadOnlySpan<byte> record)
    {
        if (!opened)
        {
            SkipByteOrderMark();
        }
        Line = nextLine;
        int scanned = 0;
        bool quoted = false;
        while (true)
        {
            ReadOnlySpan<byte> rest = buffer.AsSpan(start + scanned, end - start - scanned);
            int found = quoted ? rest.IndexOf((byte)'"') : rest.IndexOfAny((byte)'\n', (byte)'"');
            if (found >= 0)
            {
                scanned += found + 1;
                if (rest[found] == '"')
                {
                    quoted = !quoted;
                    continue;
                }
                record = Take(scanned, scanned - 1);
                return true;
            }
            scanned = end - start;
            if (!ended)
            {
                Fill();
                continue;
            }
            if (quoted)
            {
                throw new DataException($"{file}, line {Line}: a quoted field is never closed; add the missing '\"', or write a quote within a field as '\"\"'.");
            }
            record = Take(scanned, scanned);
            return scanned > 0;
        }
    }

    private ReadOnlySpan<byte> Take(int consumed, int length)
    {
        ReadOnlySpan<byte> record = buffer.AsSpan(start, length);
        start += consumed;
        nextLine += 1 + record.Count((byte)'\n');
        return record.EndsWith("\r"u8) ? record[..^1] : record;
    }

    private void SkipByteOrderMark()
    {
        opened = true;
        while (end < 3 && !ended)
        {
            Fill();
        }
        ReadOnlySpan<byte> head = buffer.AsSpan(0, end);
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || head.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
        {
            throw new DataException($"{file} is UTF-16 text; save it as UTF-8.");
        }
        start = head.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? 3 : 0;
    }

    private void Fill()
    {
        if (start > 0)
        {
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (start, end) = (0, end - start);
        }
        if (end == buffer.Length)
        {
            if (buffer.Length >= LongestRecord)
            {
                throw new DataException($"{file}, line {nextLine}: a row is longer than {LongestRecord >> 20} MiB; is it a CSV file, and are its quotes closed?");
            }
            Array.Resize(ref buffer, buffer.Length * 2);
        }
        int read = stream.Read(buffer, end, buffer.Length - end);
        ended = read == 0;
        end += read;
    }
}
