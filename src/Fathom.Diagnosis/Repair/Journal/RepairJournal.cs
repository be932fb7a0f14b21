using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fathom.Diagnosis.Repair.Journal;

/// <summary>
/// The results of an examination in a file, a line of JSON for each finished piece, appended as soon as it is finished: what
/// an interrupted examination has learnt is not computed again. The first line tells what the results depend on. Weights are
/// not kept, so a run that must go further than recorded is run anew from its start.
/// </summary>
public sealed class RepairJournal : IResultMemo, IDisposable
{
    private const string Kind = "fathom-fix-journal";
    private const int Format = 1;

    private readonly Lock gate = new();
    private readonly Dictionary<string, JsonNode> results = [];
    private readonly HashSet<string> used = [];
    private readonly JournalKey key;
    private FileStream? file;
    private long intact;

    private RepairJournal(string path, JournalKey key) => (Path, this.key) = (path, key);

    public string Path { get; }

    /// <summary>Why no more can be kept, such as a full disk; null as long as it can.</summary>
    public string? Failure { get; private set; }

    /// <summary>What is kept.</summary>
    public JournalContent Kept => JournalContent.Of(results.Keys);

    /// <summary>What of it was taken over instead of being computed.</summary>
    public JournalContent TakenOver => JournalContent.Of(used);

    /// <summary>Reads the journal if there is one. The file appears, or changes, with the first result that is kept.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="key">What the results depend on.</param>
    /// <param name="fresh">Whether to start over: what is in the file is ignored, and replaced with the first result.</param>
    /// <exception cref="JournalException">The file is no journal, or without <paramref name="fresh"/> one of another examination.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static RepairJournal Open(string path, JournalKey key, bool fresh = false)
    {
        RepairJournal journal = new(path, key);
        if (File.Exists(path))
        {
            journal.Read(fresh);
        }
        return journal;
    }

    public T? Find<T>(string piece) where T : class
    {
        lock (gate)
        {
            if (!results.TryGetValue(piece, out JsonNode? result))
            {
                return null;
            }
            try
            {
                T? found = result.Deserialize<T>(JournalFormat.Options);
                used.Add(piece);
                return found;
            }
            catch (JsonException)
            {
                results.Remove(piece); // whole as JSON, but not what belongs here: it is computed again
                return null;
            }
        }
    }

    public void Keep<T>(string piece, T result) where T : class
    {
        lock (gate)
        {
            if (Failure is not null || results.ContainsKey(piece))
            {
                return;
            }
            JsonNode node = JsonSerializer.SerializeToNode(result, JournalFormat.Options)!;
            try
            {
                file ??= Begin();
                Append(new JsonObject { ["piece"] = piece, ["result"] = node.DeepClone() });
                results.Add(piece, node);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // The examination is worth more than its journal.
                Failure = error.Message;
            }
        }
    }

    /// <summary>Notes that the control's state after so many steps lies beside the journal.</summary>
    public void KeepState(long steps) => Keep(Piece.ControlState(steps), new { steps });

    /// <summary>The control's state was taken over.</summary>
    public void UseState(long steps)
    {
        lock (gate)
        {
            used.Add(Piece.ControlState(steps));
        }
    }

    /// <summary>Removes the file: the examination is complete.</summary>
    public void Delete()
    {
        Dispose();
        if (Failure is null)
        {
            File.Delete(Path);
        }
    }

    public void Dispose()
    {
        file?.Dispose();
        file = null;
    }

    /// <summary>Takes whole lines up to the first that is damaged: the last one, if the program was killed while it wrote.</summary>
    private void Read(bool fresh)
    {
        byte[] bytes = File.ReadAllBytes(Path);
        bool begun = false;
        for (int start = 0, end; start < bytes.Length && (end = Array.IndexOf(bytes, (byte)'\n', start)) >= 0; start = end + 1)
        {
            JsonObject? line = Parse(bytes.AsSpan(start, end - start));
            if (!begun)
            {
                Require(line, fresh);
                begun = true;
                if (fresh)
                {
                    return;
                }
            }
            else if (line?["piece"] is JsonValue piece && piece.TryGetValue(out string? name) && line["result"] is { } result)
            {
                results[name] = result.DeepClone();
            }
            else
            {
                return;
            }
            intact = end + 1;
        }
        if (!begun && bytes.Length > 0)
        {
            Require(null, fresh);
        }
    }

    private void Require(JsonObject? header, bool fresh)
    {
        if (header is null || Text(header, "kind") != Kind)
        {
            throw new JournalException($"{Path}: this is not a journal of fathom fix, and it was left as it is; name another file with --journal");
        }
        JournalKey? other = header["format"] is JsonValue format && format.TryGetValue(out int number) && number == Format ? KeyOf(header["key"]) : null;
        string difference = other is null ? "another version of Fathom" : key.DifferenceFrom(other);
        if (!fresh && difference.Length > 0)
        {
            throw new JournalException($"{Path}: this journal was kept for {difference}, and it was left as it is; --fresh starts over and replaces it, --journal FILE writes elsewhere");
        }
    }

    private static JournalKey? KeyOf(JsonNode? node)
    {
        try
        {
            return node?.Deserialize<JournalKey>(JournalFormat.Options);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Text(JsonObject line, string name) => line[name] is JsonValue value && value.TryGetValue(out string? text) ? text : "";

    private static JsonObject? Parse(ReadOnlySpan<byte> line)
    {
        try
        {
            return JsonNode.Parse(line) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Opens the file behind its last whole line, for one program at a time.</summary>
    private FileStream Begin()
    {
        file = new FileStream(Path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read);
        try
        {
            file.SetLength(intact);
            file.Position = intact;
            if (intact == 0)
            {
                Append(new JsonObject { ["kind"] = Kind, ["format"] = Format, ["key"] = JsonSerializer.SerializeToNode(key, JournalFormat.Options) });
            }
            return file;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>A line goes to the file in one piece.</summary>
    private void Append(JsonObject line)
    {
        file!.Write(Encoding.UTF8.GetBytes(line.ToJsonString(JournalFormat.Options) + '\n'));
        file.Flush();
    }
}
