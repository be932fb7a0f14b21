using System.Numerics.Tensors;
using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Training;

/// <summary>Targets as real numbers, in the form that a loss wants them.</summary>
public static class BatchTargets
{
    /// <summary>
    /// Copies the targets of some rows: values as they are; labels as 0 and 1 for one output, as one-hot rows for several, and
    /// as −1 and 1 where the loss reads margins.
    /// </summary>
    /// <param name="data">The data.</param>
    /// <param name="loss">A loss that takes real numbers.</param>
    /// <param name="width">Outputs per sample.</param>
    /// <param name="rows">Which rows.</param>
    /// <param name="target">Receives (rows, width).</param>
    public static void Copy(DataSet data, Loss loss, int width, ReadOnlySpan<int> rows, Span<float> target)
    {
        if (data.Kind == TargetKind.Real)
        {
            data.CopyTargets(rows, target);
        }
        else if (width == 1)
        {
            data.CopyLabels(rows, target);
        }
        else
        {
            FillOneHot(data.Labels, width, rows, target);
        }
        if (loss.Output == OutputMeaning.Margin && data.Kind == TargetKind.Label)
        {
            // Margins are learnt against -1 and 1.
            TensorPrimitives.Multiply(target, 2f, target);
            TensorPrimitives.Subtract(target, 1f, target);
        }
    }

    private static void FillOneHot(ReadOnlySpan<int> labels, int width, ReadOnlySpan<int> rows, Span<float> target)
    {
        target.Clear();
        for (int i = 0; i < rows.Length; i++)
        {
            target[i * width + labels[rows[i]]] = 1;
        }
    }
}
