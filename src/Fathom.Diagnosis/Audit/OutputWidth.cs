using Fathom.Training.Data;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>The output has fewer columns than there are classes or target values, or columns that no row asks for.</summary>
public sealed class OutputWidth : AuditRule
{
    public override string Id => "FTH011";

    public override string Problem => "number of outputs does not suit the targets";

    public override string Threshold => "an error where a label or a target value has no column; a warning where half of the columns or more belong to no row: they only learn to stay silent";

    public override string Cause => Causes.WrongOutputOrLoss;

    public override Finding? Inspect(AuditScope scope)
    {
        if (scope.Rows is not { Count: > 0 } rows)
        {
            return null;
        }
        string output = scope.Output.Name;
        Loss loss = scope.Model.Plan.Loss;
        long width = scope.Model.Graph.Output.Shape.ElementsPerSample;
        if (rows.Kind == TargetKind.Real)
        {
            return width == rows.TargetWidth ? null
                : Found(Severity.Error, $"{output} gives {Count((int)width, "value", "values")} per sample, where each row of '{rows.Name}' has {Count(rows.TargetWidth, "target value", "target values")}.",
                    $"Give the last layer {Count(rows.TargetWidth, "unit", "units")}.", [("output_columns", width, rows.TargetWidth)], [output]) with { IsFinal = true };
        }
        bool isSingle = width == 1 && loss.Target == TargetForm.Real;
        if (isSingle && loss.Output == OutputMeaning.Values)
        {
            return null; // a number fitted to a number: MismatchedOutput has the word
        }
        int[] labels = [.. rows.Labels.ToArray().Distinct()];
        long classes = isSingle ? 2 : width;
        if (labels.Max() >= classes)
        {
            string what = isSingle ? $"one output with the loss {loss.Kind} tells 2 classes apart" : $"{output} has {width} columns";
            return Found(Severity.Error, $"{what}, but the labels of '{rows.Name}' go up to {labels.Max()}, so that {labels.Max() + 1} are needed.",
                $"Give the last layer {labels.Max() + 1} units{(isSingle ? " and take cross_entropy" : "")}.", [("output_columns", width, labels.Max() + 1)], [output], isSingle ? ["output"] : []) with { IsFinal = true };
        }
        return classes >= 4 && labels.Length * 2 <= classes
            ? Found(Severity.Warning, $"{output} has {width} columns, but only {labels.Length} classes occur among the training rows of '{rows.Name}' (limit: half of the columns).",
                "Check the number of classes, and whether all rows were read.", [("classes_with_rows", labels.Length, classes)], [output], details: "Columns that belong to no row only learn to stay silent.")
            : null;
    }
}
