using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// About how many operations a training step takes, so that steps of different networks can be added up. Counted and not
/// timed, so that a report is the same on every machine.
/// </summary>
internal static class StepWork
{
    /// <summary>Forward pass, gradient by the input and gradient by the weights: three products, two operations each.</summary>
    private const double PerWeight = 6;

    /// <summary>What an elementwise operation takes beside a multiply-add, forward and backward; it is bound by memory.</summary>
    private const double PerElement = 20;

    /// <summary>Reading the gradient, updating moments and weight.</summary>
    private const double PerParameter = 10;

    /// <param name="model">Network and plan.</param>
    /// <param name="rows">Rows of training data.</param>
    public static double Of(ModelDefinition model, int rows)
    {
        double perSample = model.Graph.Nodes.Where(node => node.Op is not Source).Sum(OfSample);
        return Math.Min(model.Plan.BatchSize, rows) * perSample + PerParameter * model.Graph.ParameterCount;
    }

    /// <summary>All steps of a plan.</summary>
    public static double FullRun(ModelDefinition model, int rows)
    {
        int batch = Math.Min(model.Plan.BatchSize, rows);
        return Of(model, rows) * ((rows + batch - 1) / batch) * model.Plan.Epochs;
    }

    private static double OfSample(Node node)
    {
        double elements = node.Outputs.Sum(output => (double)output.Shape.ElementsPerSample);
        double weights = node.Parameters.Where(parameter => parameter.Outputs[0].Shape.Rank >= 2).Sum(parameter => (double)parameter.Outputs[0].Shape.ElementsPerSample);
        if (weights == 0 || node.Op is Embedding) // of a table a row is read
        {
            return PerElement * elements;
        }
        // Weights are used once at each position: of an image, or of a sequence.
        Shape shape = node.Outputs[0].Shape;
        long units = node.Op is ConvolutionOp { ChannelsLast: false } ? shape[1].Size : shape[^1].Size;
        return PerWeight * shape.ElementsPerSample / units * weights + PerElement * elements;
    }
}
