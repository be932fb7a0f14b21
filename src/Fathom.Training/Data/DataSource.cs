using System.Collections.Immutable;
using System.Globalization;
using Fathom.Training.Data.BuiltIns;
using Fathom.Training.Data.Csv;
using Fathom.Training.Data.Idx;

namespace Fathom.Training.Data;

/// <summary>
/// Opens data sets by their spec: a built-in name with parameters ("spirals?samples=1000&amp;noise=0.1"), "csv:FILE",
/// or "idx:PATH".
/// </summary>
public static class DataSource
{
    /// <summary>The share of the rows that validate, unless something else is asked for.</summary>
    public const double DefaultValidation = 0.2;

    private const string CsvScheme = "csv:";
    private const string IdxScheme = "idx:";

    /// <summary>The data sets that need no file.</summary>
    public static ImmutableArray<BuiltIn> BuiltIns => Catalogue.All;

    /// <summary>Opens the data set and parts it into training and validation.</summary>
    /// <exception cref="DataException">An unknown name or parameter, or a file that cannot be used.</exception>
    public static DataSplit Open(string spec, DataOptions? options = null)
    {
        options ??= DataOptions.Default;
        spec = spec.Trim();
        CheckOptions(spec, options);
        string? validation = options.Validation?.Trim();
        double fraction = 0;
        bool isFraction = validation is not null &&
            double.TryParse(validation, NumberStyles.Float, CultureInfo.InvariantCulture, out fraction);
        if (validation is null || isFraction)
        {
            DataSet all = Load(spec, options, []);
            return validation is null && TestImages(spec) is { } test
                ? Joined(all, IdxFolder.Read(test, options))
                : all.Split(validation is null ? DefaultValidation : fraction, options.Seed);
        }
        if (TestImages(validation) is { } images)
        {
            return Joined(Load(spec, options, []), IdxFolder.Read(images, options));
        }
        RefuseSame(spec, validation, options);
        DataSet training = Load(spec, options, []);
        return Joined(training, Load(validation, options, training.ClassNames));
    }

    /// <summary>The test images of an IDX folder, if the spec is one and it has some.</summary>
    private static string? TestImages(string spec) =>
        spec.StartsWith(IdxScheme, StringComparison.Ordinal) ? IdxFolder.TestImages(spec[IdxScheme.Length..]) : null;

    private static DataSet Load(string spec, DataOptions options, ImmutableArray<string> classNames)
    {
        if (spec.StartsWith(CsvScheme, StringComparison.Ordinal))
        {
            return CsvReader.Read(spec[CsvScheme.Length..], options, classNames);
        }
        if (spec.StartsWith(IdxScheme, StringComparison.Ordinal))
        {
            return IdxFolder.Read(IdxFolder.TrainingImages(spec[IdxScheme.Length..]), options);
        }
        return BuiltInSpec.Parse(spec).Create(options);
    }

    /// <summary>An option that the spec has no use for is a misunderstanding, which must not pass in silence.</summary>
    private static void CheckOptions(string spec, DataOptions options)
    {
        bool csv = spec.StartsWith(CsvScheme, StringComparison.Ordinal);
        bool file = csv || spec.StartsWith(IdxScheme, StringComparison.Ordinal);
        if (!csv && (options.LabelColumn is not null || options.Target is not null))
        {
            throw new DataException($"A label column or target kind can be given for csv:FILE only, but the data are '{spec}'.");
        }
        if (file && (options.Samples is not null || options.Noise is not null))
        {
            throw new DataException($"Samples and noise can be given for built-in data only, but the data are '{spec}'.");
        }
        if (options.Target == TargetKind.Real && options.Classes is not null)
        {
            throw new DataException("Real targets have no classes: give a number of classes or ask for real targets, not both.");
        }
        if (options.Classes < 1)
        {
            throw new DataException($"The number of classes must be at least 1, but {options.Classes} was given.");
        }
    }

    private static void RefuseSame(string spec, string validation, DataOptions options)
    {
        bool same = spec == validation;
        if (!same && !spec.Contains(':') && !validation.Contains(':'))
        {
            BuiltInSpec training = BuiltInSpec.Parse(spec), other = BuiltInSpec.Parse(validation);
            same = training.Name == other.Name && training.Seed(options) == other.Seed(options);
        }
        if (same)
        {
            string advice = spec.Contains(':') ? "another file" : $"another seed, such as '{BuiltInSpec.Parse(spec).Name}?seed={options.Seed + 1}',";
            throw new DataException($"'{validation}' would validate on the training rows; give {advice} or a fraction such as 0.2.");
        }
    }

    /// <summary>Checks that two separately read sets ask for the same network.</summary>
    private static DataSplit Joined(DataSet training, DataSet validation)
    {
        if (!training.RowShape.SequenceEqual(validation.RowShape))
        {
            throw new DataException($"'{training.Name}' has rows of shape {Shape(training)}, but '{validation.Name}' validates with {Shape(validation)}; both must be the same.");
        }
        if (training.Kind != validation.Kind || training.TargetWidth != validation.TargetWidth)
        {
            throw new DataException($"'{training.Name}' has {Targets(training)}, but '{validation.Name}' validates with {Targets(validation)}; both must be the same.");
        }
        CheckFeatureNames(training, validation);
        if (training.Kind == TargetKind.Real)
        {
            return new DataSplit(training, validation);
        }
        if (!training.ClassNames.SequenceEqual(validation.ClassNames))
        {
            throw new DataException($"'{training.Name}' and '{validation.Name}' name their classes differently; both must have names, or both numbers.");
        }
        int classes = Math.Max(training.Classes, validation.Classes);
        return new DataSplit(training.WithClasses(classes), validation.WithClasses(classes));
    }

    private static void CheckFeatureNames(DataSet training, DataSet validation)
    {
        for (int i = 0; i < Math.Min(training.FeatureNames.Length, validation.FeatureNames.Length); i++)
        {
            if (training.FeatureNames[i] != validation.FeatureNames[i])
            {
                throw new DataException($"Feature {i + 1} is '{training.FeatureNames[i]}' in '{training.Name}', but '{validation.FeatureNames[i]}' in '{validation.Name}'; both must have the same columns in the same order.");
            }
        }
    }

    private static string Shape(DataSet data) => $"[{string.Join(", ", data.RowShape)}]";

    private static string Targets(DataSet data) =>
        data.Kind == TargetKind.Label ? "labels" : $"{data.TargetWidth} real target(s)";
}
