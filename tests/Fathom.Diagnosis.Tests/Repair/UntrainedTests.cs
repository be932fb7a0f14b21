using Fathom.Diagnosis.Repair.References;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Tests.Repair;

/// <summary>What the training rows give without a network.</summary>
public sealed class UntrainedTests
{
    [Xunit.Theory]
    [InlineData("moons?samples=800&noise=0.15", 0.97, 1)]
    [InlineData("spirals?samples=1000&classes=3&turns=0.75&noise=0.1", 0.95, 1)]
    [InlineData("digits", 0.95, 1)]
    [InlineData("adding?length=30&samples=1500", -1, 0.5)] // which two of 30 numbers count changes from row to row
    public void KnownDataGiveWhatIsKnownOfThem(string source, double least, double most) =>
        Assert.InRange(Untrained.Metric(DataSource.Open(source)), least, most);

    [Fact]
    public void ASmoothFunctionOfSeveralFeaturesIsFound() => Assert.InRange(Untrained.Metric(Waves(x => Math.Sin(2 * x[0]) + 0.5 * x[0] * x[1] + Math.Abs(x[2]))), 0.9, 1);

    [Fact]
    public void NoiseGivesNothing()
    {
        Random random = new(5);
        Assert.InRange(Untrained.Metric(Waves(_ => random.NextDouble())), -1, 0.1);
    }

    [Fact]
    public void UnitsOfMeasurementDoNotCount()
    {
        DataSplit digits = DataSource.Open("digits");
        double one = Untrained.Metric(digits), other = Untrained.Metric(new DataSplit(Times(digits.Training, 1000), Times(digits.Validation, 1000)));
        Assert.Equal(one, other, 2);
    }

    private static DataSet Times(DataSet rows, float factor) =>
        DataSet.OfLabels("scaled", rows.RowShape, [.. rows.Inputs.ToArray().Select(value => value * factor)], rows.Labels.ToArray(), rows.Classes);

    private static DataSplit Waves(Func<double[], double> target)
    {
        Random random = new(3);
        double[][] rows = [.. Enumerable.Range(0, 800).Select(_ => Enumerable.Range(0, 4).Select(_ => random.NextDouble() * 4 - 2).ToArray())];
        return DataSet.OfTargets("waves", [4], [.. rows.SelectMany(row => row).Select(value => (float)value)], [.. rows.Select(row => (float)target(row))]).Split(0.2, 1);
    }
}
