using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Fathom.Training.Data;

/// <summary>What a row's target is: one of several classes, or real numbers.</summary>
public enum TargetKind
{
    /// <summary>A class index from 0.</summary>
    Label,

    /// <summary>One or more real numbers.</summary>
    Real,
}

/// <summary>Rows of float32 inputs with a target each. Immutable.</summary>
public sealed class DataSet
{
    private readonly float[] inputs;
    private readonly int[] labels;
    private readonly float[] targets;
    private readonly Lazy<DataStatistics> statistics;

    private DataSet(string name, ImmutableArray<int> rowShape, float[] inputs, int[] labels, float[] targets, int targetWidth)
    {
        Name = name;
        RowShape = rowShape;
        Features = ElementsOf(name, rowShape);
        this.inputs = inputs;
        this.labels = labels;
        this.targets = targets;
        TargetWidth = targetWidth;
        Count = targetWidth == 0 ? labels.Length : targets.Length / targetWidth;
        if (inputs.LongLength != (long)Count * Features)
        {
            throw new ArgumentException($"'{name}' has {inputs.Length} input values, but {Count} rows of {Features} need {(long)Count * Features}.");
        }
        statistics = new Lazy<DataStatistics>(() => DataStatistics.Of(this));
    }

    public string Name { get; }

    /// <summary>Rows.</summary>
    public int Count { get; }

    /// <summary>Elements of one row's input: the product of <see cref="RowShape"/>.</summary>
    public int Features { get; }

    /// <summary>The shape of one row's input, such as [64] or [28, 28]; the values lie row-major.</summary>
    public ImmutableArray<int> RowShape { get; }

    public TargetKind Kind => TargetWidth == 0 ? TargetKind.Label : TargetKind.Real;

    /// <summary>How many classes the labels count; 0 if the targets are real.</summary>
    public int Classes { get; private init; }

    /// <summary>The classes' names by index, or empty if they are only numbered.</summary>
    public ImmutableArray<string> ClassNames { get; private init; } = [];

    /// <summary>The input columns' names, or empty if they have none.</summary>
    public ImmutableArray<string> FeatureNames { get; private init; } = [];

    /// <summary>Real numbers of one row's target; 0 if the targets are labels.</summary>
    public int TargetWidth { get; }

    /// <summary>Whom the data's licence asks to name, if anybody.</summary>
    public string? Credit { get; private init; }

    /// <summary>All inputs, (Count, Features).</summary>
    public ReadOnlySpan<float> Inputs => inputs;

    /// <summary>All labels, (Count).</summary>
    /// <exception cref="InvalidOperationException">The targets are real.</exception>
    public ReadOnlySpan<int> Labels => Kind == TargetKind.Label ? labels : throw new InvalidOperationException($"'{Name}' has real targets, not labels.");

    /// <summary>All real targets, (Count, TargetWidth).</summary>
    /// <exception cref="InvalidOperationException">The targets are labels.</exception>
    public ReadOnlySpan<float> Targets => Kind == TargetKind.Real ? targets : throw new InvalidOperationException($"'{Name}' has labels, not real targets.");

    /// <summary>What the inputs and targets look like; computed when first asked for.</summary>
    public DataStatistics Statistics => statistics.Value;

    /// <summary>A data set of classes. It keeps the arrays: the caller must not change them afterwards.</summary>
    /// <param name="name">Shown in messages and reports.</param>
    /// <param name="rowShape">The shape of one row's input.</param>
    /// <param name="inputs">(rows, product of <paramref name="rowShape"/>), row-major.</param>
    /// <param name="labels">A class index for each row, from 0.</param>
    /// <param name="classes">How many classes there are.</param>
    /// <param name="classNames">A name for each class, or none.</param>
    /// <param name="featureNames">A name for each input element, or none.</param>
    /// <param name="credit">Whom the data's licence asks to name.</param>
    /// <exception cref="ArgumentException">Sizes that do not agree, or a label outside 0 to classes - 1.</exception>
    public static DataSet OfLabels(
        string name, ImmutableArray<int> rowShape, float[] inputs, int[] labels, int classes,
        ImmutableArray<string> classNames = default, ImmutableArray<string> featureNames = default, string? credit = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        for (int row = 0; row < labels.Length; row++)
        {
            if ((uint)labels[row] >= (uint)classes)
            {
                throw new ArgumentException($"'{name}' has label {labels[row]} in row {row}, but {classes} classes allow 0 to {classes - 1}.");
            }
        }
        return new DataSet(name, rowShape, inputs, labels, [], targetWidth: 0)
        {
            Classes = classes,
            ClassNames = Names(name, "classes", classNames, classes),
            FeatureNames = Names(name, "features", featureNames, ElementsOf(name, rowShape)),
            Credit = credit,
        };
    }

    /// <summary>A data set of real targets. It keeps the arrays: the caller must not change them afterwards.</summary>
    /// <param name="name">Shown in messages and reports.</param>
    /// <param name="rowShape">The shape of one row's input.</param>
    /// <param name="inputs">(rows, product of <paramref name="rowShape"/>), row-major.</param>
    /// <param name="targets">(rows, <paramref name="targetWidth"/>), row-major.</param>
    /// <param name="targetWidth">Numbers of one row's target, at least 1.</param>
    /// <param name="featureNames">A name for each input element, or none.</param>
    /// <param name="credit">Whom the data's licence asks to name.</param>
    /// <exception cref="ArgumentException">Sizes that do not agree.</exception>
    public static DataSet OfTargets(
        string name, ImmutableArray<int> rowShape, float[] inputs, float[] targets, int targetWidth = 1,
        ImmutableArray<string> featureNames = default, string? credit = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(targetWidth, 1);
        if (targets.Length % targetWidth != 0)
        {
            throw new ArgumentException($"'{name}' has {targets.Length} target values, which is no whole number of rows of {targetWidth}.");
        }
        return new DataSet(name, rowShape, inputs, [], targets, targetWidth)
        {
            FeatureNames = Names(name, "features", featureNames, ElementsOf(name, rowShape)),
            Credit = credit,
        };
    }

    /// <summary>The name of a class, or its number if it has none.</summary>
    public string ClassName(int label) => ClassNames.IsEmpty ? label.ToString() : ClassNames[label];

    /// <summary>Copies the inputs of <paramref name="rows"/>, (rows, Features).</summary>
    /// <exception cref="ArgumentException">A destination that is too short.</exception>
    public void CopyInputs<T>(ReadOnlySpan<int> rows, Span<T> destination) where T : unmanaged, INumberBase<T> =>
        Copy<float, T>(inputs, Features, rows, destination);

    /// <summary>Copies the labels of <paramref name="rows"/>, (rows), as numbers of type <typeparamref name="T"/>.</summary>
    /// <exception cref="InvalidOperationException">The targets are real.</exception>
    /// <exception cref="ArgumentException">A destination that is too short.</exception>
    public void CopyLabels<T>(ReadOnlySpan<int> rows, Span<T> destination) where T : unmanaged, INumberBase<T> =>
        Copy(Labels, 1, rows, destination);

    /// <summary>Writes a row of Classes numbers for each of <paramref name="rows"/>: 1 at its label, 0 elsewhere.</summary>
    /// <exception cref="InvalidOperationException">The targets are real.</exception>
    /// <exception cref="ArgumentException">A destination that is too short.</exception>
    public void CopyOneHot<T>(ReadOnlySpan<int> rows, Span<T> destination) where T : unmanaged, INumberBase<T>
    {
        ReadOnlySpan<int> all = Labels;
        CheckRoom(rows.Length, Classes, destination.Length);
        destination[..(rows.Length * Classes)].Clear();
        for (int i = 0; i < rows.Length; i++)
        {
            destination[(i * Classes) + all[rows[i]]] = T.One;
        }
    }

    /// <summary>Copies the real targets of <paramref name="rows"/>, (rows, TargetWidth).</summary>
    /// <exception cref="InvalidOperationException">The targets are labels.</exception>
    /// <exception cref="ArgumentException">A destination that is too short.</exception>
    public void CopyTargets<T>(ReadOnlySpan<int> rows, Span<T> destination) where T : unmanaged, INumberBase<T> =>
        Copy(Targets, TargetWidth, rows, destination);

    /// <summary>A data set of the given rows, in their order.</summary>
    public DataSet Subset(ReadOnlySpan<int> rows)
    {
        var chosen = new float[(long)rows.Length * Features];
        CopyInputs<float>(rows, chosen);
        if (Kind == TargetKind.Label)
        {
            var chosenLabels = new int[rows.Length];
            CopyLabels<int>(rows, chosenLabels);
            return OfLabels(Name, RowShape, chosen, chosenLabels, Classes, ClassNames, FeatureNames, Credit);
        }
        var chosenTargets = new float[rows.Length * TargetWidth];
        CopyTargets<float>(rows, chosenTargets);
        return OfTargets(Name, RowShape, chosen, chosenTargets, TargetWidth, FeatureNames, Credit);
    }

    /// <summary>
    /// Parts the rows at random into training and validation. The same seed gives the same parts; each class keeps its
    /// share in both, and at least one row for training; rows stay in their order.
    /// </summary>
    /// <param name="fraction">The share of the rows that validate, between 0 and 1.</param>
    /// <param name="seed">Another seed is another choice of rows.</param>
    /// <exception cref="DataException">A fraction outside (0, 1), or fewer than 2 rows.</exception>
    public DataSplit Split(double fraction, ulong seed)
    {
        (int[] training, int[] validation) = Stratified.Split(this, fraction, seed);
        return new DataSplit(Subset(training), Subset(validation));
    }

    /// <summary>The same targets with other inputs of the same shape.</summary>
    internal DataSet WithInputs(float[] other) => Kind == TargetKind.Label
        ? OfLabels(Name, RowShape, other, labels, Classes, ClassNames, FeatureNames, Credit)
        : OfTargets(Name, RowShape, other, targets, TargetWidth, FeatureNames, Credit);

    /// <summary>The same rows with room for more classes, which have no rows here.</summary>
    internal DataSet WithClasses(int classes) => classes == Classes
        ? this
        : OfLabels(Name, RowShape, inputs, labels, classes, default, FeatureNames, Credit);

    private static void Copy<TFrom, T>(ReadOnlySpan<TFrom> from, int width, ReadOnlySpan<int> rows, Span<T> destination)
        where TFrom : unmanaged, INumberBase<TFrom>
        where T : unmanaged, INumberBase<T>
    {
        CheckRoom(rows.Length, width, destination.Length);
        for (int i = 0; i < rows.Length; i++)
        {
            ReadOnlySpan<TFrom> row = from.Slice(rows[i] * width, width);
            Span<T> to = destination.Slice(i * width, width);
            if (typeof(T) == typeof(TFrom))
            {
                MemoryMarshal.Cast<TFrom, T>(row).CopyTo(to);
                continue;
            }
            for (int j = 0; j < row.Length; j++)
            {
                to[j] = T.CreateChecked(row[j]);
            }
        }
    }

    private static void CheckRoom(int rows, int width, int room)
    {
        if ((long)rows * width > room)
        {
            throw new ArgumentException($"{rows} rows of {width} need room for {(long)rows * width} numbers, but the destination holds {room}.");
        }
    }

    private static int ElementsOf(string name, ImmutableArray<int> rowShape)
    {
        long elements = 1;
        foreach (int extent in rowShape)
        {
            elements *= extent;
            if (extent < 1 || elements > int.MaxValue)
            {
                throw new ArgumentException($"'{name}' has rows of shape [{string.Join(", ", rowShape)}]; extents must be at least 1, and their product an int.");
            }
        }
        return (int)elements;
    }

    private static ImmutableArray<string> Names(string name, string what, ImmutableArray<string> names, int count) =>
        names.IsDefaultOrEmpty ? []
        : names.Length == count ? names
        : throw new ArgumentException($"'{name}' has {count} {what}, but {names.Length} names for them.");
}
