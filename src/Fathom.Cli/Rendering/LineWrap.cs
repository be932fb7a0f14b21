namespace Fathom.Cli.Rendering;

/// <summary>Breaks a line at spaces to fit a terminal; further rows are indented like the first.</summary>
public static class LineWrap
{
    /// <param name="pieces">The line in pieces of one tone each.</param>
    /// <param name="width">Columns of a row.</param>
    public static IEnumerable<IReadOnlyList<(string Text, Tone Tone)>> Rows(IReadOnlyList<(string Text, Tone Tone)> pieces, int width)
    {
        string text = string.Concat(pieces.Select(piece => piece.Text));
        int indent = text.Length - text.TrimStart(' ').Length;
        int start = 0;
        do
        {
            int room = Math.Max(20, start == 0 ? width : width - indent);
            int end = End(text, start, room);
            List<(string, Tone)> row = start == 0 || indent == 0 ? [] : [(new string(' ', indent), Tone.Plain)];
            row.AddRange(Slice(pieces, start, end));
            yield return row;
            start = end;
            while (start < text.Length && text[start] == ' ')
            {
                start++;
            }
        }
        while (start < text.Length);
    }

    /// <summary>Where a row ends: all that is left if it fits, else the last space that fits, else in the middle of a word.</summary>
    private static int End(string text, int start, int room)
    {
        if (text.Length - start <= room)
        {
            return text.Length;
        }
        int space = text.LastIndexOf(' ', start + room, room);
        return space > start ? space : start + room;
    }

    private static IEnumerable<(string, Tone)> Slice(IReadOnlyList<(string Text, Tone Tone)> pieces, int start, int end)
    {
        int offset = 0;
        foreach ((string text, Tone tone) in pieces)
        {
            int from = Math.Clamp(start - offset, 0, text.Length);
            int to = Math.Clamp(end - offset, 0, text.Length);
            if (to > from)
            {
                yield return (text[from..to], tone);
            }
            offset += text.Length;
        }
    }
}
