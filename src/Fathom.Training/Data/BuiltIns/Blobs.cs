using System.Collections.Immutable;

namespace Fathom.Training.Data.BuiltIns;

/// <summary>
/// Round Gaussian clouds, as scikit-learn's make_blobs: centres uniform in [-10, 10) on each axis. The centres have
/// their own seed, so that two seeds of the points are two samples of one problem.
/// </summary>
internal sealed class Blobs : BuiltIn
{
    private const double Reach = 10;

    /// <summary>Keeps the centres apart from the points where both seeds are the same.</summary>
    private const ulong CentreStream = 0x43454E545245;

    public override string Name => "blobs";

    public override string Summary => "round Gaussian clouds, one for each class, around centres in [-10, 10)";

    public override ImmutableArray<BuiltInParameter> Parameters { get; } =
    [
        Samples,
        new("noise", 1, 0, 100, "standard deviation of each cloud"),
        new("classes", 3, 1, 1000, "clouds", Whole: true),
        new("features", 2, 1, 10_000, "dimensions", Whole: true),
        new("centres", 0, 0, 1 << 30, "seed of the centres", Whole: true),
    ];

    internal override DataSet Create(BuiltInArguments arguments)
    {
        int classes = arguments.Whole("classes"), features = arguments.Whole("features"), samples = arguments.Samples;
        if ((long)samples * features > Array.MaxLength)
        {
            throw new DataException($"blobs: {samples} samples of {features} features are more than one array holds ({Array.MaxLength}).");
        }
        var centre = new DataRandom((ulong)arguments.Whole("centres"), CentreStream);
        var centres = new double[classes * features];
        for (int i = 0; i < centres.Length; i++)
        {
            centres[i] = centre.Uniform(-Reach, Reach);
        }
        var random = new DataRandom(arguments.Seed);
        int[] order = new int[samples];
        random.Permutation(order);
        var inputs = new float[samples * features];
        var labels = new int[samples];
        for (int i = 0; i < samples; i++)
        {
            int label = order[i] % classes;
            labels[i] = label;
            for (int j = 0; j < features; j++)
            {
                inputs[(i * features) + j] = (float)(centres[(label * features) + j] + (arguments["noise"] * random.Gaussian()));
            }
        }
        return DataSet.OfLabels(Name, [features], inputs, labels, classes);
    }
}
