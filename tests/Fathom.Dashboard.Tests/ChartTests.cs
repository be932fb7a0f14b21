using System.Globalization;
using System.Xml.Linq;
using Fathom.Dashboard.Charts;

namespace Fathom.Dashboard.Tests;

public sealed class ChartTests
{
    [Theory]
    [InlineData(0, 1, "0 0.2 0.4 0.6 0.8 1.0")]
    [InlineData(2.27, 2.35, "2.28 2.30 2.32 2.34")]
    [InlineData(-3, 4, "-3 -2 -1 0 1 2 3 4")]
    [InlineData(0, 3e6, "0 5e5 1e6 1.5e6 2e6 2.5e6 3e6")]
    public void LinearTicksAreRoundNumbers(double from, double to, string expected) =>
        Assert.Equal(expected, string.Join(' ', new LinearScale(from, to).Ticks.Select(tick => tick.Label)));

    [Fact]
    public void StepsAreCountedInWholeNumbers()
    {
        Assert.Equal(["0", "1", "2"], new LinearScale(0, 2, wholeNumbers: true).Ticks.Select(tick => tick.Label));
        Assert.Equal(["0", "5\u202f000", "10\u202f000"], new LinearScale(0, 10_000, wholeNumbers: true, ticks: 2).Ticks.Select(tick => tick.Label));
    }

    [Theory]
    [InlineData(-14, 0, "10⁻¹⁴ 10⁻¹² 10⁻¹⁰ 10⁻⁸ 10⁻⁶ 10⁻⁴ 0.01 1")]
    [InlineData(-300, 300, "10⁻³⁰⁰ 10⁻²⁰⁰ 10⁻¹⁰⁰ 1 10¹⁰⁰ 10²⁰⁰ 10³⁰⁰")]
    [InlineData(0, 1, "1 2 5 10")]
    public void LogarithmicTicksArePowersOfTen(double from, double to, string expected) =>
        Assert.Equal(expected, string.Join(' ', new LogScale(from, to).Ticks.Select(tick => tick.Label)));

    [Theory]
    [InlineData(1e-14, 0)]
    [InlineData(1e-7, 0.5)]
    [InlineData(1, 1)]
    [InlineData(1e20, 1)]
    public void ALogarithmicScalePlacesByExponent(double value, double place) =>
        Assert.Equal(place, new LogScale(-14, 0).Place(value), 1e-12);

    [Theory]
    [InlineData(0.0)]
    [InlineData(5.0)]
    [InlineData(-1e300)]
    [InlineData(5e-324)]
    public void AConstantSeriesGetsAnAxisWithTicks(double value)
    {
        Assert.InRange(LinearScale.Around([value, value]).Ticks.Count, 1, 20);
        Assert.Equal(0.5, LogScale.Around([Math.Abs(value) + 1]).Place(Math.Abs(value) + 1), 1e-9);
    }

    [Fact]
    public void ThinningKeepsEverySpikeAndStaysWithinItsLimit()
    {
        ChartPoint[] points = [.. Enumerable.Range(0, 100_000).Select(i => new ChartPoint(i, Math.Sin(i * 0.01)))];
        points[12_345] = new ChartPoint(12_345, 1e9);
        points[54_321] = new ChartPoint(54_321, -1e9);
        points[77_777] = new ChartPoint(77_777, double.NaN);
        IReadOnlyList<ChartPoint> thinned = Downsampling.MinMax(points, 600);
        Assert.InRange(thinned.Count, 300, 600);
        Assert.Contains(points[12_345], thinned);
        Assert.Contains(points[54_321], thinned);
        Assert.Contains(thinned, point => point.X == 77_777);
        Assert.Equal(thinned.OrderBy(point => point.X), thinned);
        Assert.All(thinned, point => Assert.Equal(points[(int)point.X], point));
        Assert.Same(points, Downsampling.MinMax(points, 100_000));
    }

    [Fact]
    public void ALineIsInterruptedWhereAValueHasNoPlaceAndTheValueIsMarked()
    {
        double[] values = [1, 0.1, 0, 0.01, 0.001, double.NaN, double.PositiveInfinity, 1e-4];
        LineChart chart = new("words", "x", "y", new LinearScale(0, 7, wholeNumbers: true), logarithmic: true,
            [new ChartSeries("line", "s0", [.. values.Select((value, i) => new ChartPoint(i, value))])]);
        XElement svg = Svg(chart);
        string line = (string)svg.Descendants("path").Single(one => (string?)one.Attribute("class") == "line").Attribute("d")!;
        Assert.Equal((2, 2), (line.Count(c => c == 'M'), line.Count(c => c == 'L')));
        // The last value has no neighbour to draw a line to.
        Assert.Single(svg.Descendants("circle"));
        string marks = (string)svg.Descendants("path").Single(one => (string?)one.Attribute("class") == "mark").Attribute("d")!;
        Assert.Equal(1, marks.Split('z').Length - 1);
        Assert.Equal(2, marks.Split("l6 6m").Length - 1);
        Assert.Contains("NaN, ∞", svg.Descendants("text").Select(one => one.Value));
        Assert.Contains("0", svg.Descendants("text").Select(one => one.Value));
    }

    [Fact]
    public void PointsLieWhereTheirValuesSay()
    {
        ChartSeries series = new("line", "s0", [new(0, 1e-10), new(1, 1e-5), new(2, 1)]) { DotTitle = point => point.Y.ToString(CultureInfo.InvariantCulture) };
        LineChart chart = new("words", "x", "y", new LinearScale(0, 2), logarithmic: true, [series]);
        (double X, double Y)[] dots = [.. Svg(chart).Descendants("circle").Select(one => (Number(one, "cx"), Number(one, "cy")))];
        Assert.Equal(dots[1].X, (dots[0].X + dots[2].X) / 2, 0.01);
        Assert.Equal(dots[1].Y, (dots[0].Y + dots[2].Y) / 2, 0.01);
        Assert.True(dots[0].Y > dots[2].Y, "a smaller value lies lower");
    }

    [Fact]
    public void AChartOfNothingIsStillAChart()
    {
        LineChart chart = new("words", "x", "y", new LinearScale(0, 0), logarithmic: true, [new ChartSeries("none", "s0", [])]);
        Assert.DoesNotContain(Svg(chart).Descendants("path"), one => (string?)one.Attribute("class") is "line" or "mark");
    }

    [Fact]
    public void TheColourRampGrowsLighterAllTheWay()
    {
        double[] luminances = [.. Enumerable.Range(0, 101).Select(i => Luminance(ColourRamp.Hex(i / 100.0)))];
        Assert.All(luminances.Zip(luminances.Skip(1)), pair => Assert.True(pair.Second > pair.First - 1e-3, $"{pair.First} then {pair.Second}"));
        Assert.InRange(luminances[0], 0, 0.05);
        Assert.InRange(luminances[^1], 0.7, 1);
        Assert.Equal(("q0", "q47", "q47"), (ColourRamp.LevelClass(-1), ColourRamp.LevelClass(1), ColourRamp.LevelClass(2)));
    }

    [Theory]
    [InlineData(0.0000000000000314, "3.14e-14")]
    [InlineData(-1234567, "-1.23e6")]
    [InlineData(0.001, "0.001")]
    [InlineData(2.3026, "2.3")]
    [InlineData(0.97777, "0.978")]
    [InlineData(123.4, "123")]
    [InlineData(99_999, "99999")]
    [InlineData(0, "0")]
    [InlineData(double.NegativeInfinity, "−∞")]
    public void NumbersAreShortAndHaveDecimalPoints(double value, string expected) =>
        Assert.Equal(expected, NumberText.Short(value));

    [Fact]
    public void MarkupRefusesToEndWithAnOpenElement() =>
        Assert.Throws<InvalidOperationException>(() => new Markup().Open("p").ToString());

    private static XElement Svg(LineChart chart)
    {
        Markup page = new();
        chart.Write(page);
        return XElement.Parse(page.ToString());
    }

    private static double Number(XElement element, string attribute) =>
        double.Parse((string)element.Attribute(attribute)!, CultureInfo.InvariantCulture);

    /// <summary>WCAG 2 relative luminance.</summary>
    private static double Luminance(string hex)
    {
        double[] linear = [.. new[] { 1, 3, 5 }.Select(at => Convert.ToInt32(hex.Substring(at, 2), 16) / 255.0).Select(c => c <= 0.04045 ? c / 12.92 : Math.Pow((c + 0.055) / 1.055, 2.4))];
        return (0.2126 * linear[0]) + (0.7152 * linear[1]) + (0.0722 * linear[2]);
    }
}
