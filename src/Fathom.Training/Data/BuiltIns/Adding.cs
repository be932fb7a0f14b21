using System.Collections.Immutable;

namespace Fathom.Training.Data.BuiltIns;

/// <summary>
/// The adding problem of Hochreiter and Schmidhuber (1997, experiment 4), at a fixed length: of a sequence of random
/// numbers two are marked, and their sum is asked for at the end. A network that cannot carry a gradient back to the first
/// mark stays at the mean, a squared error of 1/24.
/// </summary>
internal sealed class Adding : BuiltIn
{
    /// <summary>The first mark is among so many first steps.</summary>
    private const int FirstMarkWithin = 10;

    public override string Name => "adding";

    public override string Summary => "sequences of numbers with two of them marked; 2 features per step, the target is 0.5 + (their sum)/4";

    public override ImmutableArray<BuiltInParameter> Parameters { get; } =
    [
        Rows,
        new("length", 50, 4, 10_000, "steps of a sequence", Whole: true),
    ];

    internal override DataSet Create(BuiltInArguments arguments)
    {
        (int samples, int length) = (arguments.Samples, arguments.Whole("length"));
        RequireRoom(samples, 2L * length);
        DataRandom random = new(arguments.Seed);
        float[] inputs = new float[samples * length * 2];
        float[] targets = new float[samples];
        for (int row = 0; row < samples; row++)
        {
            Span<float> sequence = inputs.AsSpan(row * length * 2, length * 2);
            for (int step = 0; step < length; step++)
            {
                sequence[2 * step] = (float)random.Uniform(-1, 1);
            }
            int head = Math.Min(FirstMarkWithin, length / 2);
            int first = random.Below(head);
            int second = head + random.Below(Math.Max(1, length / 2 - head));
            // Ends carry −1, so that they differ from every step between.
            sequence[1] = sequence[^1] = -1;
            sequence[2 * first + 1] = sequence[2 * second + 1] = 1;
            targets[row] = 0.5f + (sequence[2 * first] + sequence[2 * second]) / 4;
        }
        return DataSet.OfTargets(Name, [length, 2], inputs, targets, targetWidth: 1);
    }
}
