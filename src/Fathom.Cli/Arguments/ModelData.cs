using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Cli.Arguments;

/// <summary>Opens data in the form that a model's output and loss ask for.</summary>
internal static class ModelData
{
    private static readonly string[] FileSchemes = ["csv:", "idx:"];

    /// <summary>Opens training and validation data.</summary>
    public static DataSplit Open(ModelDefinition model, DataReference reference)
    {
        bool file = IsFile(reference.Source);
        Node? indices = model.Graph.Inputs.FirstOrDefault(input => input.Outputs[0].Kind == ElementKind.Index);
        if (indices is not null && reference.Standardize)
        {
            throw new DataException("the network reads indices, which cannot be standardized; leave out 'standardize'");
        }
        DataOptions options = new()
        {
            Indices = indices is null ? null : IndexRange.Rows(model.Graph, indices.Output),
            Seed = model.Plan.Seed,
            Validation = reference.Validation,
            LabelColumn = reference.Label,
            Classes = file ? ClassesOf(model) : null,
        };
        DataSplit data = file && IsRegression(model) && reference.Source.StartsWith("csv:", StringComparison.Ordinal)
            ? OpenRegression(reference.Source, options)
            : DataSource.Open(reference.Source, options);
        return reference.Standardize ? data.Standardized() : data;
    }

    /// <summary>
    /// Whole numbers as targets of a regression are numbers, not classes, negative and large ones included; two classes,
    /// such as 0 and 1 or names, stay classes.
    /// </summary>
    private static DataSplit OpenRegression(string source, DataOptions options)
    {
        DataOptions real = options with { Target = TargetKind.Real, Classes = null };
        DataSplit data;
        try
        {
            data = DataSource.Open(source, options);
        }
        catch (DataException asClasses)
        {
            try
            {
                return DataSource.Open(source, real);
            }
            catch (DataException)
            {
                throw asClasses;
            }
        }
        return data.Training is { Kind: TargetKind.Label, Classes: > 2, ClassNames.IsDefaultOrEmpty: true } ? DataSource.Open(source, real) : data;
    }

    /// <summary>A file spec as written in a model file: relative to the working directory, or, if not there, to the model file.</summary>
    public static string Locate(string spec, string modelPath)
    {
        foreach (string scheme in FileSchemes.Where(scheme => spec.StartsWith(scheme, StringComparison.Ordinal)))
        {
            string path = spec[scheme.Length..];
            string beside = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(modelPath)) ?? ".", path);
            if (!Path.IsPathRooted(path) && !Exists(path) && Exists(beside))
            {
                return scheme + beside;
            }
        }
        return spec;
    }

    /// <summary>The files that a reference names itself.</summary>
    public static IReadOnlyList<string> Files(DataReference? reference) => reference is null ? [] :
        [.. new[] { reference.Source, reference.Validation }.OfType<string>().Where(spec => IsFile(spec) && spec.Length > 4).Select(spec => spec[4..])];

    private static bool IsFile(string spec) => FileSchemes.Any(scheme => spec.StartsWith(scheme, StringComparison.Ordinal));

    private static bool Exists(string path) => File.Exists(path) || Directory.Exists(path);

    private static bool IsRegression(ModelDefinition model) =>
        model.Plan.Loss is { Target: TargetForm.Real, Output: OutputMeaning.Values } && model.Graph.Output.Shape.ElementsPerSample == 1;

    /// <summary>The classes that output and loss can tell apart, so that a label beyond them is reported with file, line and column.</summary>
    private static int? ClassesOf(ModelDefinition model)
    {
        Loss loss = model.Plan.Loss;
        Shape output = model.Graph.Output.Shape;
        if (loss.Target == TargetForm.Index)
        {
            return output[^1].Size;
        }
        return output.ElementsPerSample > 1 ? checked((int)output.ElementsPerSample) : loss.Output == OutputMeaning.Values ? null : 2;
    }
}
