using System.Collections.Immutable;
using System.Globalization;

namespace Fathom.Training.Data.Csv;

/// <summary>
/// The label column of a CSV file. Its first field says whether it holds names or numbers; its last whether the
/// numbers are classes or real targets.
/// </summary>
internal sealed class CsvLabels(CsvPlace place, int column, DataOptions options, ImmutableArray<string> knownNames)
{
    /// <summary>Whole numbers beyond this are hardly classes.</summary>
    private const int MostClasses = 65_536;

    private readonly Dictionary<string, int> seen = [];
    private readonly List<int> nameOfRow = [];
    private readonly List<double> numbers = [];
    private bool? areNames;
    private bool whole = true;
    private (int Line, double Value)? negative;
    private (int Line, double Value)? tooLarge;

    /// <summary>Whether only class indices will do.</summary>
    private bool MustBeClasses => options.Target == TargetKind.Label || options.Classes is not null;

    public void Add(ReadOnlySpan<byte> field, int line)
    {
        if (field.IsEmpty)
        {
            throw place.Wrong(line, column, "the label is empty.");
        }
        bool isNumber = CsvFields.TryNumber(field, out double value);
        areNames ??= !isNumber && options.Target != TargetKind.Real;
        if (areNames.Value)
        {
            AddName(CsvFields.Text(field), line);
            return;
        }
        if (!isNumber)
        {
            throw place.Wrong(line, column, $"{CsvPlace.Shown(CsvFields.Text(field))} is not a number, as the labels before it are.");
        }
        if (!float.IsFinite((float)value))
        {
            throw place.Wrong(line, column, $"the label is {CsvPlace.Shown(CsvFields.Text(field))}; labels must be finite float32 numbers.");
        }
        AddNumber(value, line);
    }

    public DataSet Finish(float[] inputs, int features, ImmutableArray<string> featureNames)
    {
        if (areNames == true)
        {
            return FinishNames(inputs, features, featureNames);
        }
        if (options.Target == TargetKind.Real || !whole)
        {
            float[] targets = [.. numbers.Select(n => (float)n)];
            return DataSet.OfTargets(place.File, [features], inputs, targets, 1, featureNames);
        }
        if (numbers.TrueForAll(n => n is -1 or 1) && numbers.Contains(-1))
        {
            // The usual labels of a hinge loss.
            return DataSet.OfLabels(place.File, [features], inputs, [.. numbers.Select(n => n > 0 ? 1 : 0)], 2, ["-1", "1"], featureNames);
        }
        if (negative is { } low)
        {
            throw place.Wrong(low.Line, column, $"the label is {Number(low.Value)}, but classes count from 0 (or are -1 and 1); for a regression ask for real targets.");
        }
        if (tooLarge is { } high)
        {
            throw place.Wrong(high.Line, column, $"the label is {Number(high.Value)}, but classes count from 0 to at most {MostClasses - 1}; for a regression ask for real targets.");
        }
        int classes = options.Classes ?? (int)numbers.Max() + 1;
        return DataSet.OfLabels(place.File, [features], inputs, [.. numbers.Select(n => (int)n)], classes, default, featureNames);
    }

    private void AddNumber(double value, int line)
    {
        if (options.Target != TargetKind.Real)
        {
            bool isWhole = value == Math.Floor(value);
            if (MustBeClasses && !isWhole)
            {
                throw place.Wrong(line, column, $"the label is {Number(value)}, but classes are whole numbers.");
            }
            bool margin = value == -1 && options.Classes == 2;
            if (options.Classes is { } classes && !margin && (value < 0 || value >= classes))
            {
                throw place.Wrong(line, column, $"the label is {Number(value)}, but {classes} classes allow 0 to {classes - 1}.");
            }
            whole &= isWhole;
            negative ??= value < 0 ? (line, value) : null;
            tooLarge ??= value >= MostClasses ? (line, value) : null;
        }
        numbers.Add(value);
    }

    private void AddName(string name, int line)
    {
        if (!seen.TryGetValue(name, out int index))
        {
            if (!knownNames.IsEmpty && !knownNames.Contains(name))
            {
                throw place.Wrong(line, column, $"{CsvPlace.Shown(name)} is no class of the training data.{Spelling.Hint(name, knownNames)}");
            }
            if (seen.Count == (options.Classes ?? MostClasses))
            {
                throw place.Wrong(line, column, $"{CsvPlace.Shown(name)} is one class name more than the {seen.Count} allowed; the file must have at most {seen.Count}.");
            }
            index = seen.Count;
            seen.Add(name, index);
        }
        nameOfRow.Add(index);
    }

    private DataSet FinishNames(float[] inputs, int features, ImmutableArray<string> featureNames)
    {
        ImmutableArray<string> sorted = knownNames.IsEmpty ? [.. seen.Keys.Order(StringComparer.Ordinal)] : knownNames;
        if (sorted.Length < options.Classes)
        {
            throw new DataException($"{place.File} names {sorted.Length} classes, but {options.Classes} were asked for; ask for {sorted.Length}, or number the classes.");
        }
        var label = new int[seen.Count];
        foreach ((string name, int index) in seen)
        {
            label[index] = sorted.IndexOf(name);
        }
        return DataSet.OfLabels(place.File, [features], inputs, [.. nameOfRow.Select(n => label[n])], sorted.Length, sorted, featureNames);
    }

    private static string Number(double value) => value.ToString(CultureInfo.InvariantCulture);
}
