using System.Globalization;
using System.Text;

namespace Fathom.Formats;

/// <summary>The difference of two texts by lines, in the unified format that <c>patch</c> and <c>git apply</c> read.</summary>
public static class UnifiedDiff
{
    private const int Context = 3;

    /// <summary>Lines above which no shortest difference is sought: its table would take their product.</summary>
    private const int Most = 20_000;

    /// <param name="oldName">Name of the old text.</param>
    /// <param name="oldText">The old text.</param>
    /// <param name="newName">Name of the new text.</param>
    /// <param name="newText">The new text.</param>
    /// <returns>The difference; empty if there is none.</returns>
    public static string Of(string oldName, string oldText, string newName, string newText)
    {
        (string[] before, string[] after) = (Lines(oldText), Lines(newText));
        List<(char Kind, string Line)> script = Script(before, after);
        StringBuilder text = new();
        foreach ((int start, int end) in Hunks(script))
        {
            if (text.Length == 0)
            {
                text.Append(CultureInfo.InvariantCulture, $"--- {oldName}\n+++ {newName}\n");
            }
            WriteHunk(text, script, start, end);
        }
        return text.ToString();
    }

    private static string[] Lines(string text)
    {
        string[] lines = text.ReplaceLineEndings("\n").Split('\n');
        return lines[^1].Length == 0 ? lines[..^1] : lines;
    }

    /// <summary>What to keep, take away and add, by the longest common subsequence of what lies between equal heads and tails.</summary>
    private static List<(char Kind, string Line)> Script(string[] before, string[] after)
    {
        int head = 0, tail = 0;
        while (head < Math.Min(before.Length, after.Length) && before[head] == after[head])
        {
            head++;
        }
        while (tail < Math.Min(before.Length, after.Length) - head && before[^(tail + 1)] == after[^(tail + 1)])
        {
            tail++;
        }
        List<(char, string)> script = [.. before[..head].Select(line => (' ', line))];
        script.AddRange(Middle(before[head..^tail], after[head..^tail]));
        script.AddRange(before[^tail..].Select(line => (' ', line)));
        return script;
    }

    private static IEnumerable<(char Kind, string Line)> Middle(string[] before, string[] after)
    {
        if (before.Length + after.Length > Most || (long)before.Length * after.Length > (long)Most * Most / 4)
        {
            return [.. before.Select(line => ('-', line)), .. after.Select(line => ('+', line))];
        }
        int[,] common = new int[before.Length + 1, after.Length + 1];
        for (int i = before.Length - 1; i >= 0; i--)
        {
            for (int j = after.Length - 1; j >= 0; j--)
            {
                common[i, j] = before[i] == after[j] ? common[i + 1, j + 1] + 1 : Math.Max(common[i + 1, j], common[i, j + 1]);
            }
        }
        List<(char, string)> script = [];
        for (int i = 0, j = 0; i < before.Length || j < after.Length;)
        {
            if (i < before.Length && j < after.Length && before[i] == after[j])
            {
                script.Add((' ', before[i++]));
                j++;
            }
            else if (j == after.Length || (i < before.Length && common[i + 1, j] >= common[i, j + 1]))
            {
                script.Add(('-', before[i++]));
            }
            else
            {
                script.Add(('+', after[j++]));
            }
        }
        return script;
    }

    /// <summary>Stretches of changes with their context; those that would touch are one.</summary>
    private static IEnumerable<(int Start, int End)> Hunks(List<(char Kind, string Line)> script)
    {
        int start = -1, end = -1;
        for (int i = 0; i < script.Count; i++)
        {
            if (script[i].Kind == ' ')
            {
                continue;
            }
            if (start >= 0 && i - Context > end)
            {
                yield return (start, end);
                start = -1;
            }
            start = start < 0 ? Math.Max(0, i - Context) : start;
            end = Math.Min(script.Count, i + Context + 1);
        }
        if (start >= 0)
        {
            yield return (start, end);
        }
    }

    private static void WriteHunk(StringBuilder text, List<(char Kind, string Line)> script, int start, int end)
    {
        int oldAt = script.Take(start).Count(line => line.Kind != '+'), newAt = script.Take(start).Count(line => line.Kind != '-');
        (char Kind, string Line)[] lines = [.. script.Skip(start).Take(end - start)];
        int oldCount = lines.Count(line => line.Kind != '+'), newCount = lines.Count(line => line.Kind != '-');
        // A side without lines names the line before it.
        text.Append(CultureInfo.InvariantCulture, $"@@ -{(oldCount == 0 ? oldAt : oldAt + 1)},{oldCount} +{(newCount == 0 ? newAt : newAt + 1)},{newCount} @@\n");
        foreach ((char kind, string line) in lines)
        {
            text.Append(kind).Append(line).Append('\n');
        }
    }
}
