namespace Fathom.Runs.Tests.Writer;

/// <summary>A made-up run whose every number follows from step and column, so that a reader can check each of them.</summary>
public static class SampleRun
{
    public static RunHeader Header() => new()
    {
        Name = "sample",
        Model = "layers: [dense 8]",
        Plan = """{"optimizer":"sgd"}""",
        Seed = ulong.MaxValue - 3,
        Data = "digits",
        PlannedSteps = 1000,
        ProgramVersion = "0.1.0",
    };

    public static TensorColumn[] Columns(int count) =>
        [.. Enumerable.Range(0, count).Select(i =>
            new TensorColumn($"dense{i / 5}", $"t{i % 5}", (TensorRole)(i % 5), i / 5, "matmul", 64 * (i + 1)))];

    public static StepRow Step(long step) =>
        new(step, (int)(step / 100), 1.0 / (step + 1), 0.1, step * 0.5, Math.Min(step * 0.5, 5), step * 1.25);

    /// <summary>Fills the rows with every kind of number a probe may give: denormals, infinities, NaN, large counts.</summary>
    public static void Fill(long step, Span<TensorRow> rows)
    {
        for (int i = 0; i < rows.Length; i++)
        {
            uint mix = (uint)((step * 2654435761) ^ (i * 40503));
            rows[i] = new TensorRow
            {
                Mean = i == 1 ? double.NaN : step + (i / 1024.0),
                Std = i == 2 ? double.PositiveInfinity : Math.Sqrt(mix),
                L2 = 1e-42 * (step + 1) * (i + 1),
                MaxAbs = i == 3 ? -0.0 : double.Epsilon * mix,
                Count = 64 * ((uint)i + 1),
                Zeros = mix,
                Saturated = mix >> 1,
                NaNs = mix >> 2,
                PositiveInfinities = mix >> 3,
                NegativeInfinities = mix >> 4,
                Denormals = uint.MaxValue - mix,
                Flushed = mix >> 5,
            };
        }
    }
}
