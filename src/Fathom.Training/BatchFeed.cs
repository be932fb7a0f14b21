using System.Globalization;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;

namespace Fathom.Training;

/// <summary>Copies rows of a data set into a plan's inputs, in the form that the loss wants.</summary>
internal sealed class BatchFeed
{
    /// <summary>Elements copied in one part.</summary>
    private const int GatheredElements = 8192;

    private readonly TrainingGraph graph;
    private readonly DataSet data;
    private readonly Loss loss;
    private readonly int width;
    private readonly IReadOnlyList<double>? rowWeights;

    /// <param name="graph">The network with its loss.</param>
    /// <param name="data">The rows.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="classWeights">Weights of the classes in the loss; null for none.</param>
    /// <exception cref="TrainingException">The data do not fit the network or the loss.</exception>
    public BatchFeed(TrainingGraph graph, DataSet data, Loss loss, IReadOnlyList<double>? classWeights)
    {
        rowWeights = loss.DividesByClassWeights ? classWeights : null;
        (this.graph, this.data, this.loss) = (graph, data, loss);
        Shape input = graph.Input.Shape;
        if (input.ElementsPerSample != data.Features)
        {
            throw new TrainingException($"the network's input {input} takes {input.ElementsPerSample} values per sample; '{data.Name}' has {data.Features}");
        }
        if (graph.Input.Type.Kind == ElementKind.Index)
        {
            CheckIndices();
        }
        width = checked((int)graph.Prediction.Shape.ElementsPerSample);
        CheckTargets();
    }

    /// <summary>What the mean loss over these rows is divided by: how much it counts in a mean over more rows.</summary>
    public double Weight(ReadOnlySpan<int> rows)
    {
        if (rowWeights is null)
        {
            return rows.Length;
        }
        double sum = 0;
        foreach (int row in rows)
        {
            sum += rowWeights[data.Labels[row]];
        }
        return sum;
    }

    public void Fill(ExecutionPlan<float> plan, ReadOnlySpan<int> rows)
    {
        if (graph.Input.Type.Kind == ElementKind.Index)
        {
            data.CopyInputs(rows, plan.Index(graph.Input).Span);
        }
        else
        {
            CopyInputs(rows, plan.Real(graph.Input), plan.Pool);
        }
        if (loss.Target == TargetForm.Index)
        {
            data.CopyLabels(rows, plan.Index(graph.Target).Span);
            return;
        }
        BatchTargets.Copy(data, loss, width, rows, plan.Real(graph.Target));
    }

    /// <summary>Rows drawn from all over a large data set come from memory, not from a cache: several threads wait for less.</summary>
    private unsafe void CopyInputs(ReadOnlySpan<int> rows, Buffer<float> inputs, WorkerPool pool)
    {
        int together = Math.Max(1, GatheredElements / data.Features);
        fixed (int* first = rows)
        {
            GatherJob job = new() { Data = data, Rows = first, Count = rows.Length, Together = together, Inputs = inputs };
            pool.Run(ref job, (rows.Length + together - 1) / together);
        }
    }

    /// <summary>Every value is a whole number that names a row of each table that reads the input.</summary>
    private void CheckIndices()
    {
        int rows = IndexRange.Rows(graph.Graph, graph.Input);
        ReadOnlySpan<float> values = data.Inputs;
        for (int i = 0; i < values.Length; i++)
        {
            if (!(values[i] >= 0 && values[i] < rows && values[i] == MathF.Floor(values[i])))
            {
                throw new TrainingException(string.Create(CultureInfo.InvariantCulture,
                    $"'{data.Name}', row {i / data.Features + 1}, value {i % data.Features + 1}: {values[i]} is no index; the network's input {graph.Input.Type} takes whole numbers from 0 to {rows - 1}"));
            }
        }
    }

    private void CheckTargets()
    {
        string name = graph.Prediction.Name;
        if (data.Kind == TargetKind.Real)
        {
            if (loss.Target == TargetForm.Index)
            {
                throw new TrainingException($"the loss {loss.Kind} needs class labels; '{data.Name}' has real-valued targets: use a regression loss such as mse");
            }
            if (data.TargetWidth != width)
            {
                throw new TrainingException($"the output {name} has {width} values per sample; '{data.Name}' has {data.TargetWidth} target values");
            }
            return;
        }
        Shape output = graph.Prediction.Shape;
        if (output.Rank != 2)
        {
            throw new TrainingException($"the output {name} has shape {output}; class labels need one row per sample, (N, classes): flatten before the last dense layer");
        }
        ReadOnlySpan<int> labels = data.Labels;
        int classes = width == 1 && loss.Target == TargetForm.Real ? (loss.Output == OutputMeaning.Values ? int.MaxValue : 2) : width;
        for (int i = 0; i < labels.Length; i++)
        {
            if ((uint)labels[i] >= (uint)classes)
            {
                throw new TrainingException($"'{data.Name}', row {i + 1}: label {labels[i]} is out of range; the output {name} of width {width} with the loss {loss.Kind} takes labels 0 to {classes - 1}");
            }
        }
    }

    private unsafe struct GatherJob : IParallelJob
    {
        public DataSet Data;
        public int* Rows;
        public int Count;
        public int Together;
        public Buffer<float> Inputs;

        public readonly void Execute(int part, int worker)
        {
            int start = part * Together;
            int length = Math.Min(Together, Count - start);
            Data.CopyInputs(new ReadOnlySpan<int>(Rows + start, length), Inputs.Slice(start * Data.Features, length * Data.Features).Span);
        }
    }
}
