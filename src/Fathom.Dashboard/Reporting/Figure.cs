using Fathom.Dashboard.Charts;

namespace Fathom.Dashboard.Reporting;

/// <summary>A chart with its heading, what it says in words, and its legend.</summary>
internal static class Figure
{
    /// <param name="page">Where it is written.</param>
    /// <param name="title">The heading.</param>
    /// <param name="caption">What the chart shows, in a sentence or two.</param>
    /// <param name="chart">The chart.</param>
    /// <param name="ordered">Whether the series are ordered, by depth or time: then the legend is a row of colours.</param>
    public static void Write(Markup page, string title, string caption, LineChart chart, bool ordered = false)
    {
        Open(page, title, caption);
        chart.Write(page);
        ChartSeries[] named = [.. chart.Series.Where(series => series.Points.Count != 0)];
        if (ordered && named.Length > 6)
        {
            WriteRamp(page, named);
        }
        else if (named.Length > 1)
        {
            WriteList(page, named);
        }

        page.CloseLine();
    }

    public static void Write(Markup page, string title, string caption, HeatMap map)
    {
        Open(page, title, caption);
        map.Write(page);
        page.CloseLine();
    }

    private static void Open(Markup page, string title, string caption) =>
        page.Open("figure").Open("figcaption").Element("h3", title).Element("p", caption).Close();

    private static void WriteList(Markup page, ChartSeries[] series)
    {
        page.Open("ul", ("class", "legend"));
        foreach (ChartSeries one in series)
        {
            page.Open("li");
            Swatch(page, one);
            page.Text(one.Name).Close();
        }

        page.Close();
    }

    private static void WriteRamp(Markup page, ChartSeries[] series)
    {
        page.Open("p", ("class", "legend ramp")).Element("span", series[0].Name);
        page.Open("span", ("class", "swatches"), ("aria-hidden", "true"));
        foreach (ChartSeries one in series)
        {
            page.Element("i", "", ("class", one.Class));
        }

        page.Close().Element("span", series[^1].Name).Close();
    }

    private static void Swatch(Markup page, ChartSeries series)
    {
        page.Open("svg", ("viewBox", "0 0 22 10"), ("class", "swatch " + series.Class), ("aria-hidden", "true"));
        if (!series.DotsOnly)
        {
            page.Empty("path", ("class", "line"), ("stroke-dasharray", series.Dash), ("d", "M1 5H21"));
        }

        if (series.DotTitle is not null)
        {
            page.Empty("circle", ("class", "dot"), ("cx", "11"), ("cy", "5"), ("r", "3"));
        }

        page.Close();
    }
}
