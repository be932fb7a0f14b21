using System.Collections.Immutable;

namespace Fathom.Training.Data.BuiltIns;

/// <summary>Two half circles that reach into each other, as scikit-learn's make_moons: class 0 is the upper one.</summary>
internal sealed class Moons : BuiltIn
{
    public override string Name => "moons";

    public override string Summary => "two interleaved half circles; 2 features, 2 classes";

    public override ImmutableArray<BuiltInParameter> Parameters { get; } =
    [
        Samples,
        new("noise", 0.1, 0, 10, "standard deviation of Gaussian noise on both coordinates"),
    ];

    internal override DataSet Create(BuiltInArguments arguments) =>
        Plane.Draw(Name, arguments, classes: 2, (ref DataRandom random, int label, int i, int count) =>
        {
            (double sine, double cosine) = Math.SinCos(Math.PI * i / Math.Max(1, count - 1));
            return label == 0
                ? Plane.Noisy(ref random, cosine, sine, arguments["noise"])
                : Plane.Noisy(ref random, 1 - cosine, 0.5 - sine, arguments["noise"]);
        });
}
