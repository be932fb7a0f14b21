using Fathom.Runs;

namespace Fathom.Dashboard.Tests;

/// <summary>A made-up run of a deep sigmoid network, written as training would write it.</summary>
internal sealed record SyntheticRun
{
    public int Layers { get; init; } = 20;

    public int Steps { get; init; } = 300;

    public string Name { get; init; } = "deep-sigmoid";

    public string Model { get; init; } = "name: deep-sigmoid\nlayers:\n  - dense: 32\n  - sigmoid\n";

    /// <summary>Null leaves the run unfinished.</summary>
    public string? Status { get; init; } = RunStatus.Completed;

    public bool WithFinding { get; init; } = true;

    public RunWriterOptions Options { get; init; } = new();

    /// <summary>Overrides the gradient norm of a layer (from 0) at a step; NaN makes an element of it NaN.</summary>
    public Func<int, long, double> Gradient { get; init; } = static (_, _) => -1;

    /// <summary>What vanishing by a factor of 0.22 per layer leaves at a layer; shrinks a little as the output layer learns.</summary>
    public double VanishingNorm(int layer, long step) =>
        0.08 * Math.Pow(0.22, Layers - 1 - layer) / (1 + (step * 0.01)) * (1 + (0.1 * Math.Sin((step * 0.7) + layer)));

    public IReadOnlyList<TensorColumn> Columns()
    {
        List<TensorColumn> columns = [];
        for (int i = 1; i <= Layers; i++)
        {
            columns.Add(new($"dense_{i}", $"dense_{i}", TensorRole.Activation, i, "dense", 32));
            columns.Add(new($"dense_{i}", $"dense_{i} gradient", TensorRole.ActivationGradient, i, "dense", 32));
            foreach ((string parameter, long count) in ((string, long)[])[("bias", 32), ("weight", 1024)])
            {
                columns.Add(new($"dense_{i}", $"dense_{i}.{parameter}", TensorRole.Parameter, i, "parameter", count));
                columns.Add(new($"dense_{i}", $"dense_{i}.{parameter} gradient", TensorRole.ParameterGradient, i, "parameter", count));
                columns.Add(new($"dense_{i}", $"dense_{i}.{parameter} update", TensorRole.ParameterUpdate, i, "parameter", count));
            }

            columns.Add(new($"sigmoid_{i}", $"sigmoid_{i}", TensorRole.Activation, i, "sigmoid", 32));
        }

        return columns;
    }

    public void WriteTo(string path)
    {
        RunHeader header = new()
        {
            Id = "00000000-0000-4000-8000-000000000001",
            Name = Name,
            Model = Model,
            Plan = """{"optimizer":"sgd","learning_rate":0.1,"batch":32}""",
            Seed = 42,
            Data = "digits",
            PlannedSteps = Steps,
            ProgramVersion = "0.1.0",
            CreatedUtc = new DateTimeOffset(2025, 1, 31, 12, 0, 0, TimeSpan.Zero),
        };
        IReadOnlyList<TensorColumn> columns = Columns();
        using RunWriter writer = RunWriter.Create(path, header, columns, overwrite: true, Options);
        TensorRow[] rows = new TensorRow[columns.Count];
        for (long step = 0; step < Steps; step++)
        {
            Fill(rows, step);
            double norm = 0.6 / (1 + (step * 0.01)) * (1 + (0.2 * Math.Sin(step * 1.3))) + (step % 50 == 7 ? 3 : 0);
            double loss = 2.32 - (0.02 * Math.Min(1, step / 200.0)) + (0.03 * Math.Sin(step * 2.1));
            writer.AppendStep(new StepRow(step, (int)(step / 50), loss, step < 20 ? 0.005 * (step + 1) : 0.1, norm, Math.Min(norm, 1), step * 4.2), rows);
            if (step % 50 == 49)
            {
                writer.AppendEvaluation(step, (int)(step / 50), "validation", loss + 0.01, 0.1 + (0.0002 * step), "accuracy");
            }

            if (step == 9 && WithFinding)
            {
                AddFindings(writer);
            }
        }

        if (Status is not null)
        {
            writer.Complete(Status);
        }
    }

    private void Fill(TensorRow[] rows, long step)
    {
        for (int i = 0; i < Layers; i++)
        {
            double given = Gradient(i, step);
            double norm = given < 0 ? VanishingNorm(i, step) : given;
            Span<TensorRow> layer = rows.AsSpan(i * 9, 9);
            layer[0] = new TensorRow { L2 = 3, Count = 1024, Std = 0.5 };
            layer[1] = new TensorRow { L2 = double.IsNaN(norm) ? 0.1 : norm, Count = 1024, NaNs = double.IsNaN(norm) ? 1u : 0 };
            for (int parameter = 2; parameter < 8; parameter += 3)
            {
                layer[parameter] = new TensorRow { L2 = 5, Count = 1024 };
                layer[parameter + 1] = layer[1];
                layer[parameter + 2] = new TensorRow { L2 = (double.IsNaN(norm) ? 0 : norm) * 0.1, Count = 1024 };
            }

            layer[8] = new TensorRow { L2 = 8, Count = 1000, Saturated = (uint)(400.0 * i / Layers * Math.Min(1, step / 150.0)), Zeros = 0 };
        }
    }

    private void AddFindings(RunWriter writer)
    {
        string layers = string.Join(',', Enumerable.Range(1, Math.Max(1, Layers - 4)).Select(i => $"\"dense_{i}\""));
        writer.AppendFinding(9, "FTH003", "warning", "saturation", 0.71, """
            {"problem":"saturated activation","layers":["sigmoid_20"],"evidence":{"saturated_share":{"measured":0.52,"expected":0.5}},
            "explanation":"52 % of the outputs of sigmoid_20 are saturated.","action":"Draw smaller initial weights.","details":"Its slope is near 0 there.",
            "consequences":[{"rule":"FTH001","problem":"vanishing gradient","explanation":"It falls to 1e-5."}],"ruled_out":[],"remedies":["initialization"]}
            """);
        writer.AppendFinding(9, "FTH001", "error", "vanishing", 0.93, $$$"""
            {"rule":"FTH001","problem":"vanishing gradient","severity":"error","cause":"vanishing","layers":[{{{layers}}}],"step":9,"confidence":0.93,
            "evidence":{"decades_lost":{"measured":12.5,"expected":3},"first_layer_relative_update":{"measured":4.5e-16,"expected":0.001},
            "first_over_last_gradient":{"measured":3.2e-13,"expected":null},"gradient_factor_per_layer":{"measured":0.22,"expected":0.21}},
            "explanation":"The gradient's norm changes by ×0.22 per layer on its way back (theory expects ×0.21). The first 16 layers move by less than 1 % of their weights in all 300 steps of the run. A sigmoid's slope is at most 0.25.",
            "ruled_out":["learning rate too small: the last layer moves by 1.6e-3 of its weights per step","numerical failure: the loss is finite (2.31)"],
            "remedies":["activation","initialization","batch_norm"]}
            """);
        writer.AppendEvent(120, "withdrawn", "FTH003 saturated activation no longer holds");
        writer.AppendEvent(200, "checkpoint", "step 200 → a.ckpt");
    }
}
