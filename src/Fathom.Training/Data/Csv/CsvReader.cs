using System.Collections.Immutable;

namespace Fathom.Training.Data.Csv;

/// <summary>
/// Reads a CSV file: numbers in all columns but the label's. The delimiter and the header are detected; see
/// docs/data.md for the rules.
/// </summary>
internal sealed class CsvReader
{
    private readonly DataOptions options;
    private readonly byte delimiter;
    private readonly int fields;
    private readonly int labelColumn;
    private readonly string[]? header;
    private readonly CsvPlace place;
    private readonly CsvLabels labels;
    private float[] inputs = [];
    private int rows;

    private CsvReader(string file, DataOptions options, ImmutableArray<string> classNames, string[] first, bool isHeader, byte delimiter)
    {
        this.options = options;
        this.delimiter = delimiter;
        fields = first.Length;
        header = isHeader ? first : null;
        labelColumn = options.LabelColumn is null ? fields - 1 : FindLabelColumn(file, options.LabelColumn, first, isHeader);
        place = new CsvPlace(file, header);
        labels = new CsvLabels(place, labelColumn, options, classNames);
    }

    private int Features => fields - 1;

    /// <summary>Reads the file at <paramref name="path"/>, through gzip if its name ends in .gz.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">The label column, and what it holds.</param>
    /// <param name="classNames">The classes that names must be of; empty if the file says which there are.</param>
    public static DataSet Read(string path, DataOptions options, ImmutableArray<string> classNames) =>
        DataFile.Read(path, (stream, length) => Read(stream, length, path, options, classNames));

    /// <param name="stream">UTF-8 text.</param>
    /// <param name="length">Its bytes if known, to reserve memory by.</param>
    /// <param name="file">The name to show in messages.</param>
    /// <param name="options">The label column, and what it holds.</param>
    /// <param name="classNames">The classes that names must be of; empty if the file says which there are.</param>
    public static DataSet Read(Stream stream, long? length, string file, DataOptions options, ImmutableArray<string> classNames)
    {
        var records = new CsvRecords(stream, file);
        if (!records.Read(out ReadOnlySpan<byte> record))
        {
            throw new DataException($"{file} is empty; it must have at least 2 rows of numbers and a label.");
        }
        // The buffer moves on with the next record, by which a header is told from data: keep the first one.
        byte[] first = record.ToArray();
        int firstLine = records.Line;
        byte delimiter = CsvFields.Delimiter(first);
        string[] texts = Texts(first, delimiter);
        if (texts.Length < 2)
        {
            throw new DataException($"{file}, line {firstLine}: there is one field only; a row needs at least one number and a label, parted by ',', ';' or a tab.");
        }
        bool more = records.Read(out ReadOnlySpan<byte> second);
        bool isHeader = IsHeader(texts, second, delimiter, options.LabelColumn);
        var reader = new CsvReader(file, options, classNames, texts, isHeader, delimiter);
        reader.Reserve(length, more ? second.Length : 0);
        if (!isHeader)
        {
            reader.Add(first, firstLine);
        }
        else if (!more)
        {
            throw new DataException($"{file} has a header but no rows; it must have at least 2.");
        }
        for (; more; more = records.Read(out second))
        {
            reader.Add(second, records.Line);
        }
        return reader.Finish();
    }

    private DataSet Finish()
    {
        if (rows < 2)
        {
            throw new DataException($"{place.File} has 1 row only; it must have at least 2.");
        }
        Array.Resize(ref inputs, rows * Features);
        ImmutableArray<string> names = header is null ? [] : [.. header.Where((_, i) => i != labelColumn)];
        return labels.Finish(inputs, Features, names);
    }

    private void Reserve(long? length, int recordLength)
    {
        long guess = length is null || recordLength == 0 ? 1000 : length.Value / recordLength + 1;
        inputs = new float[Math.Min(guess * Features, 1 << 28)];
    }

    private void Add(ReadOnlySpan<byte> record, int line)
    {
        int at = rows * Features;
        if (inputs.Length - at < Features)
        {
            Grow((long)at + Features, line);
        }
        var walk = new CsvFields(record, delimiter);
        Span<float> row = inputs.AsSpan(at, Features);
        int column = 0, feature = 0;
        ReadOnlySpan<byte> label = default;
        while (walk.MoveNext())
        {
            if (column == labelColumn)
            {
                label = walk.Current;
            }
            else if (column < fields)
            {
                row[feature++] = Number(walk.Current, record, line, column);
            }
            column++;
        }
        if (column != fields)
        {
            throw WrongCount(record, line);
        }
        labels.Add(label, line);
        rows++;
    }

    private float Number(ReadOnlySpan<byte> field, ReadOnlySpan<byte> record, int line, int column)
    {
        if (CsvFields.TryNumber(field, out double value) && float.IsFinite((float)value))
        {
            return options.Indices is not { } indices || (value >= 0 && value < indices && value == Math.Floor(value)) ? (float)value
                : throw place.Wrong(line, column, $"{CsvPlace.Shown(CsvFields.Text(field))} is no index; the network takes whole numbers from 0 to {indices - 1}.");
        }
        // A missing or extra field shifts the others into the wrong columns: say that, not what came of it.
        if (new CsvFields(record, delimiter).Count() != fields)
        {
            throw WrongCount(record, line);
        }
        string shown = CsvPlace.Shown(CsvFields.Text(field));
        throw place.Wrong(line, column,
            field.IsEmpty ? "the field is empty; fill in a number or leave the row out."
            : !CsvFields.TryNumber(field, out value) ? $"{shown} is not a number."
            : double.IsNaN(value) ? $"{shown} is not a number that can be trained on; fill in a value or leave the row out."
            : $"{shown} is infinite or too large for float32 (at most 3.4e38).");
    }

    private DataException WrongCount(ReadOnlySpan<byte> record, int line)
    {
        int count = new CsvFields(record, delimiter).Count();
        string mark = delimiter == '\t' ? "a tab" : $"'{(char)delimiter}'";
        return new DataException($"{place.File}, line {line}: there are {count} fields parted by {mark}, but the first row has {fields}.");
    }

    private void Grow(long needed, int line)
    {
        if (needed > Array.MaxLength)
        {
            throw new DataException($"{place.File}, line {line}: the file has more values than one array holds ({Array.MaxLength}); use fewer rows.");
        }
        Array.Resize(ref inputs, (int)Math.Min(Math.Max(needed, inputs.Length * 2L), Array.MaxLength));
    }

    /// <summary>
    /// A first row is a header if it names the label column asked for, or has a word among its features. If its only
    /// word is the label, it is a header where the next row's label is a number.
    /// </summary>
    private static bool IsHeader(string[] first, ReadOnlySpan<byte> second, byte delimiter, string? labelColumn)
    {
        if (labelColumn is not null && first.Contains(labelColumn))
        {
            return true;
        }
        if (first[..^1].Any(IsWord))
        {
            return true;
        }
        string[] next = Texts(second, delimiter);
        return IsWord(first[^1]) && next.Length == first.Length && next[^1].Length > 0 && !IsWord(next[^1]);
    }

    /// <summary>An empty field is a missing value, not a word.</summary>
    private static bool IsWord(string text) =>
        text.Length > 0 && !CsvFields.TryNumber(System.Text.Encoding.UTF8.GetBytes(text), out _);

    private static string[] Texts(ReadOnlySpan<byte> record, byte delimiter)
    {
        var texts = new List<string>();
        var walk = new CsvFields(record, delimiter);
        while (walk.MoveNext())
        {
            texts.Add(CsvFields.Text(walk.Current));
        }
        return [.. texts];
    }

    private static int FindLabelColumn(string file, string name, string[] first, bool isHeader)
    {
        if (!isHeader)
        {
            throw new DataException($"{file} has no header, so that no column is called '{name}'; add a header, or put the label last.");
        }
        int column = Array.IndexOf(first, name);
        if (column < 0)
        {
            string hint = Spelling.Hint(name, first);
            throw new DataException($"{file} has no column '{name}'.{hint} Its {first.Length} columns are {string.Join(", ", first.Take(10))}{(first.Length > 10 ? ", …" : "")}.");
        }
        return Array.LastIndexOf(first, name) == column ? column
            : throw new DataException($"{file} has two columns called '{name}' ({column + 1} and {Array.LastIndexOf(first, name) + 1}); rename one.");
    }
}
