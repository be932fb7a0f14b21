using System.Text;
using static Fathom.Dashboard.NumberText;

namespace Fathom.Dashboard.Charts;

/// <summary>One line of a chart.</summary>
/// <param name="Name">What the legend calls it.</param>
/// <param name="Class">The CSS class that gives its colour.</param>
/// <param name="Points">In rising order of x; more than 600 are thinned by <see cref="Downsampling"/>.</param>
internal sealed record ChartSeries(string Name, string Class, IReadOnlyList<ChartPoint> Points)
{
    /// <summary>SVG dash pattern, so that colour isn't the only difference; null for a solid line.</summary>
    public string? Dash { get; init; }

    /// <summary>What a dot's tooltip says; null for a line without dots.</summary>
    public Func<ChartPoint, string>? DotTitle { get; init; }

    /// <summary>Shows dots only: the points belong to things that no line leads through.</summary>
    public bool DotsOnly { get; init; }
}

/// <summary>A line across the chart at a value that matters.</summary>
internal sealed record ReferenceLine(double Value, string Label);

/// <summary>
/// A line chart as SVG. On a logarithmic axis, values of 0 are shown in a row of their own below it; values that are
/// NaN or infinite are shown in a row of their own above it, on every axis.
/// </summary>
internal sealed class LineChart
{
    private const double Width = 440;
    private const double Height = 262;
    private const double Left = 50;
    private const double Right = 10;
    private const double Top = 26;
    private const double Bottom = 42;
    private const double RowHeight = 18;

    private readonly Scale _ownY;
    private readonly double _plotTop;
    private readonly double _plotBottom;
    private readonly bool _hasZeros;
    private readonly bool _hasBroken;

    public LineChart(string description, string xTitle, string yTitle, Scale x, bool logarithmic, IReadOnlyList<ChartSeries> series, params IReadOnlyList<ReferenceLine> references)
    {
        (Description, XTitle, YTitle, X) = (description, xTitle, yTitle, x);
        Series = [.. series.Select(one => one with { Points = Downsampling.MinMax(one.Points) })];
        IEnumerable<double> values = Series.SelectMany(one => one.Points).Select(point => point.Y);
        IEnumerable<double> shown = values.Concat(references.Select(reference => reference.Value));
        _ownY = logarithmic ? LogScale.Around(shown) : LinearScale.Around(shown);
        References = references;
        _hasZeros = values.Any(value => double.IsFinite(value) && !_ownY.CanShow(value));
        _hasBroken = values.Any(value => !double.IsFinite(value));
        _plotTop = Top + (_hasBroken ? RowHeight : 0);
        _plotBottom = Height - Bottom - (_hasZeros ? RowHeight : 0);
    }

    /// <summary>What the chart shows, in words, for those who cannot see it.</summary>
    public string Description { get; }

    public string XTitle { get; }

    public string YTitle { get; }

    public Scale X { get; }

    /// <summary>As wide as the values, unless <see cref="FixedY"/> is set.</summary>
    public Scale Y => FixedY ?? _ownY;

    /// <summary>Set where a linear axis has ends of its own, such as a share's 0 and 1; else null.</summary>
    public LinearScale? FixedY { get; init; }

    public IReadOnlyList<ChartSeries> Series { get; }

    public IReadOnlyList<ReferenceLine> References { get; }

    /// <summary>Vertical lines: where on the x axis, and what happened there.</summary>
    public IReadOnlyList<(double X, string Label)> Events { get; init; } = [];

    /// <summary>Names written at the two ends of the x axis; null for none.</summary>
    public (string First, string Last)? Ends { get; init; }

    public void Write(Markup page)
    {
        page.Open("svg", ("viewBox", $"0 0 {Width} {Height}"), ("role", "img"), ("aria-label", Description), ("class", "chart"));
        WriteAxes(page);
        WriteEvents(page);
        WriteReferences(page);
        foreach (ChartSeries series in Series)
        {
            page.Open("g", ("class", series.Class));
            if (!series.DotsOnly)
            {
                WriteLine(page, series);
            }

            WriteMarks(page, series);
            WriteDots(page, series);
            page.Close();
        }

        page.CloseLine();
    }

    private double PixelX(double x) => Left + (X.Place(x) * (Width - Left - Right));

    private double PixelY(double y) => _plotBottom - (Y.Place(y) * (_plotBottom - _plotTop));

    private void WriteAxes(Markup page)
    {
        foreach (Tick tick in Y.Ticks)
        {
            string y = Coordinate(_plotBottom - (tick.Position * (_plotBottom - _plotTop)));
            page.Empty("path", ("class", "grid"), ("d", $"M{Left} {y}H{Width - Right}"));
            Label(page, tick.Label, Left - 6, y, "end", "0.34em");
        }

        if (_hasZeros)
        {
            Label(page, "0", Left - 6, Coordinate(_plotBottom + (RowHeight / 2)), "end", "0.34em");
            page.Empty("path", ("class", "grid cut"), ("d", $"M{Left} {Coordinate(_plotBottom)}H{Width - Right}"));
        }

        if (_hasBroken)
        {
            Label(page, "NaN, ∞", Left - 6, Coordinate(Top + (RowHeight / 2)), "end", "0.34em");
        }

        double floor = Height - Bottom;
        page.Empty("path", ("class", "axis"), ("d", $"M{Left} {Top}V{Coordinate(floor)}H{Width - Right}"));
        foreach (Tick tick in X.Ticks)
        {
            string x = Coordinate(Left + (tick.Position * (Width - Left - Right)));
            page.Empty("path", ("class", "axis"), ("d", $"M{x} {Coordinate(floor)}v4"));
            Label(page, tick.Label, double.Parse(x, System.Globalization.CultureInfo.InvariantCulture), Coordinate(floor + 17), tick.Position > 0.97 ? "end" : "middle");
        }

        page.Element("text", YTitle, ("x", "2"), ("y", "13"), ("class", "title"));
        string last = Coordinate(Height - 6);
        if (Ends is { } ends)
        {
            WriteName(page, ends.First, Left, last, "start");
            WriteName(page, ends.Last, Width - Right, last, "end");
        }

        page.Element("text", XTitle, ("x", Coordinate((Left + Width - Right) / 2)), ("y", last), ("text-anchor", "middle"), ("class", "title"));
    }

    private static void Label(Markup page, string text, double x, string y, string anchor, string? shift = null) =>
        page.Element("text", text, ("x", Coordinate(x)), ("y", y), ("dy", shift), ("text-anchor", anchor));

    private static void WriteName(Markup page, string name, double x, string y, string anchor) =>
        page.Element("text", Shorten(name, 18), ("x", Coordinate(x)), ("y", y), ("text-anchor", anchor));

    /// <summary>A name with its middle left out where it is too long for its place.</summary>
    public static string Shorten(string name, int length) =>
        name.Length <= length ? name : string.Concat(name.AsSpan(0, length / 2), "…", name.AsSpan(name.Length - ((length - 1) / 2)));

    private void WriteEvents(Markup page)
    {
        foreach ((double x, string label) in Events)
        {
            string at = Coordinate(PixelX(x));
            page.Open("path", ("class", "event"), ("d", $"M{at} {Top}V{Coordinate(Height - Bottom)}")).Element("title", label).Close();
        }
    }

    private void WriteReferences(Markup page)
    {
        foreach (ReferenceLine reference in References)
        {
            double y = PixelY(reference.Value);
            page.Empty("path", ("class", "reference"), ("d", $"M{Left} {Coordinate(y)}H{Width - Right}"));
            page.Element("text", reference.Label, ("x", Coordinate(Width - Right - 4)), ("y", Coordinate(y - 5)), ("text-anchor", "end"), ("class", "halo"));
        }
    }

    /// <summary>One path; a value that has no place on the axis interrupts it. A point without neighbours becomes a dot.</summary>
    private void WriteLine(Markup page, ChartSeries series)
    {
        StringBuilder path = new();
        bool drawing = false;
        for (int i = 0; i < series.Points.Count; i++)
        {
            ChartPoint point = series.Points[i];
            if (!Y.CanShow(point.Y))
            {
                drawing = false;
                continue;
            }

            (string x, string y) = (Coordinate(PixelX(point.X)), Coordinate(PixelY(point.Y)));
            if (!drawing && (i + 1 == series.Points.Count || !Y.CanShow(series.Points[i + 1].Y)))
            {
                page.Empty("circle", ("class", "dot"), ("cx", x), ("cy", y), ("r", "2"));
                continue;
            }

            path.Append(drawing ? 'L' : 'M').Append(x).Append(' ').Append(y);
            drawing = true;
        }

        if (path.Length != 0)
        {
            page.Open("path", ("class", "line"), ("stroke-dasharray", series.Dash), ("d", path.ToString())).Element("title", series.Name).Close();
        }
    }

    private void WriteMarks(Markup page, ChartSeries series)
    {
        StringBuilder path = new();
        double zero = _plotBottom + (RowHeight / 2);
        double broken = Top + (RowHeight / 2);
        foreach (ChartPoint point in series.Points.Where(point => !Y.CanShow(point.Y)))
        {
            double x = PixelX(point.X);
            path.Append(double.IsFinite(point.Y)
                ? $"M{Coordinate(x - 3.5)} {Coordinate(zero - 3)}h7l-3.5 6z"
                : $"M{Coordinate(x - 3)} {Coordinate(broken - 3)}l6 6m0 -6l-6 6");
        }

        if (path.Length != 0)
        {
            page.Open("path", ("class", "mark"), ("d", path.ToString())).Element("title", series.Name + ": 0, NaN or infinite here").Close();
        }
    }

    private void WriteDots(Markup page, ChartSeries series)
    {
        if (series.DotTitle is null)
        {
            return;
        }

        foreach (ChartPoint point in series.Points.Where(point => Y.CanShow(point.Y)))
        {
            page.Open("circle", ("class", "dot"), ("cx", Coordinate(PixelX(point.X))), ("cy", Coordinate(PixelY(point.Y))), ("r", series.Points.Count > 60 ? "1.6" : "2.4"));
            page.Element("title", series.DotTitle(point)).Close();
        }
    }
}
