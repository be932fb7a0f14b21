using System.Collections.Immutable;

namespace Fathom.Training.Data.BuiltIns;

/// <summary>
/// The temporal-order problem of Hochreiter and Schmidhuber (1997, experiment 6a), at a fixed length: two symbols X or Y
/// stand far apart among symbols that mean nothing, and the class is their order: XX, XY, YX or YY. Symbols are one-hot:
/// a, b, c, d (distractors), B (begin), E (end), X, Y.
/// </summary>
internal sealed class TemporalOrder : BuiltIn
{
    private const int Distractors = 4;
    private const int Begin = 4;
    private const int End = 5;
    private const int X = 6;
    private const int Symbols = 8;

    public override string Name => "temporal-order";

    public override string Summary => "sequences of 8 one-hot symbols, two of which are X or Y; 4 classes by their order";

    public override ImmutableArray<BuiltInParameter> Parameters { get; } =
    [
        Samples,
        new("length", 50, 10, 10_000, "steps of a sequence", Whole: true),
    ];

    internal override DataSet Create(BuiltInArguments arguments)
    {
        (int samples, int length) = (arguments.Samples, arguments.Whole("length"));
        RequireRoom(samples, (long)Symbols * length);
        DataRandom random = new(arguments.Seed);
        int[] order = new int[samples];
        random.Permutation(order);
        float[] inputs = new float[samples * length * Symbols];
        int[] labels = new int[samples];
        for (int i = 0; i < samples; i++)
        {
            int row = order[i];
            labels[row] = i % 4;
            // In a tenth of the sequence each: the second tenth, and the sixth.
            int first = length / 10 + random.Below(length / 10);
            int second = length / 2 + random.Below(length / 10);
            for (int step = 0; step < length; step++)
            {
                int symbol = step == 0 ? Begin
                    : step == length - 1 ? End
                    : step == first ? X + labels[row] / 2
                    : step == second ? X + labels[row] % 2
                    : random.Below(Distractors);
                inputs[(row * length + step) * Symbols + symbol] = 1;
            }
        }
        return DataSet.OfLabels(Name, [length, Symbols], inputs, labels, classes: 4, classNames: ["XX", "XY", "YX", "YY"]);
    }
}
