using Fathom.Runs;

namespace Fathom.Dashboard.Reporting;

/// <summary>Everything the report needs of a run, all from the same moment.</summary>
internal sealed class RunData
{
    public required RunHeader Header { get; init; }

    /// <summary>One of <see cref="RunStatus"/>'s values.</summary>
    public required string Status { get; init; }

    public required DateTimeOffset? EndedUtc { get; init; }

    public required long DetailStride { get; init; }

    public required IReadOnlyList<StepRow> Steps { get; init; }

    public required IReadOnlyList<EvaluationRow> Evaluations { get; init; }

    public required IReadOnlyList<ReportedFinding> Findings { get; init; }

    public required IReadOnlyList<EventRow> Events { get; init; }

    /// <summary>The steps at which tensors were measured and are still in the file.</summary>
    public required IReadOnlyList<long> DetailSteps { get; init; }

    /// <summary>From the input to the output.</summary>
    public required IReadOnlyList<LayerSeries> Layers { get; init; }

    /// <summary>Whether <see cref="LayerSeries.Gradient"/> is by the layers' outputs; else it is by their weights.</summary>
    public required bool GradientIsByOutput { get; init; }

    /// <summary>Reads a run, finished or not.</summary>
    /// <exception cref="RunFileException">The file is missing, isn't a run, or is damaged.</exception>
    public static RunData Read(string runFile)
    {
        using RunReader reader = RunReader.Open(runFile);
        using IDisposable snapshot = reader.Snapshot();
        IReadOnlyList<LayerColumns> columns = LayerColumns.Find(reader.Columns);
        bool byOutput = columns.All(layer => layer.OutputGradient >= 0);
        LayerSeries[] layers =
        [
            .. columns.Select(layer => new LayerSeries(layer.Name, layer.Op, layer.Depth, layer.Activation < 0 ? null : reader.Columns[layer.Activation].Node)),
        ];
        List<long> steps = [];
        reader.VisitTensorRows(0, long.MaxValue, (step, rows) =>
        {
            steps.Add(step);
            for (int i = 0; i < layers.Length; i++)
            {
                Add(layers[i], columns[i], byOutput, rows);
            }
        });
        IReadOnlyList<EventRow> events = reader.Events();
        return new RunData
        {
            Header = reader.Header,
            Status = reader.Status,
            EndedUtc = reader.EndedUtc,
            DetailStride = reader.DetailStride,
            Steps = reader.Steps(),
            Evaluations = reader.Evaluations(),
            Findings = ReportedFinding.ReadAll(reader.Findings(), events, reader.Diagnosis()),
            Events = events,
            DetailSteps = steps,
            Layers = layers,
            GradientIsByOutput = byOutput,
        };
    }

    private static void Add(LayerSeries layer, LayerColumns at, bool byOutput, ReadOnlySpan<TensorRow> rows)
    {
        layer.Gradient.Add(Norm(rows, byOutput ? at.OutputGradient : at.WeightGradient));
        double weight = Norm(rows, at.Weight);
        double update = Norm(rows, at.Update);
        layer.UpdateRatio.Add(double.IsInfinity(weight) || double.IsInfinity(update) ? double.PositiveInfinity : weight > 0 ? update / weight : double.NaN);
        layer.Saturated.Add(at.Activation < 0 ? double.NaN : rows[at.Activation].SaturatedShare);
        layer.Zeros.Add(at.Activation < 0 ? double.NaN : rows[at.Activation].ZeroShare);
    }

    /// <summary>A tensor's L2 norm: NaN when not measured, +∞ when an element was not finite.</summary>
    private static double Norm(ReadOnlySpan<TensorRow> rows, int column)
    {
        if (column < 0 || rows[column].Count == 0)
        {
            return double.NaN;
        }

        ref readonly TensorRow row = ref rows[column];
        bool finite = row.NaNs == 0 && row.PositiveInfinities == 0 && row.NegativeInfinities == 0 && double.IsFinite(row.L2);
        return finite ? row.L2 : double.PositiveInfinity;
    }
}
