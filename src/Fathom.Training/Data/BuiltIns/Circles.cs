using System.Collections.Immutable;

namespace Fathom.Training.Data.BuiltIns;

/// <summary>Two circles around one centre, as scikit-learn's make_circles: class 0 outside, class 1 inside.</summary>
internal sealed class Circles : BuiltIn
{
    public override string Name => "circles";

    public override string Summary => "a circle of radius 1 around a smaller one; 2 features, 2 classes";

    public override ImmutableArray<BuiltInParameter> Parameters { get; } =
    [
        Samples,
        new("noise", 0.05, 0, 10, "standard deviation of Gaussian noise on both coordinates"),
        new("factor", 0.5, 0, 0.99, "radius of the inner circle"),
    ];

    internal override DataSet Create(BuiltInArguments arguments)
    {
        double inner = arguments["factor"];
        return Plane.Draw(Name, arguments, classes: 2, (ref DataRandom random, int label, int i, int count) =>
        {
            (double y, double x) = Math.SinCos(2 * Math.PI * i / count);
            double radius = label == 0 ? 1 : inner;
            return Plane.Noisy(ref random, radius * x, radius * y, arguments["noise"]);
        });
    }
}
