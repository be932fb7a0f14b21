using System.Collections.Immutable;

namespace Fathom.Training.Data.BuiltIns;

/// <summary>
/// Spiral arms that start at the origin, evenly turned against each other, after the two spirals of Lang and Witbrock
/// (1988). The noise is one of the angle, so that the arms stay apart at the centre too.
/// </summary>
internal sealed class Spirals : BuiltIn
{
    public override string Name => "spirals";

    public override string Summary => "interleaved spiral arms of radius 1; 2 features, one class for each arm";

    public override ImmutableArray<BuiltInParameter> Parameters { get; } =
    [
        Samples,
        new("noise", 0.1, 0, 10, "standard deviation of Gaussian noise on the angle, in radians"),
        new("classes", 2, 2, 100, "arms", Whole: true),
        new("turns", 1, 0, 10, "turns that each arm makes around the origin"),
    ];

    internal override DataSet Create(BuiltInArguments arguments)
    {
        int classes = arguments.Whole("classes");
        return Plane.Draw(Name, arguments, classes, (ref DataRandom random, int label, int i, int count) =>
        {
            double radius = (double)(i + 1) / count;
            double angle = (2 * Math.PI * (((double)label / classes) + (arguments["turns"] * radius)))
                + (arguments["noise"] * random.Gaussian());
            return ((float)(radius * Math.Cos(angle)), (float)(radius * Math.Sin(angle)));
        });
    }
}
