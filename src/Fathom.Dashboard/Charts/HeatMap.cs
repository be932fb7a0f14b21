using static Fathom.Dashboard.NumberText;

namespace Fathom.Dashboard.Charts;

/// <summary>One cell of a <see cref="HeatMap"/>.</summary>
/// <param name="Value">log10 of what the cell shows; −∞ for exactly 0, NaN for what is not finite.</param>
/// <param name="Title">The exact value, in words.</param>
internal readonly record struct HeatCell(double Value, string Title);

/// <summary>A column of cells.</summary>
/// <param name="From">Where it begins on the x axis.</param>
/// <param name="To">Where it ends.</param>
/// <param name="Cells">One for each row; null where nothing was measured.</param>
internal sealed record HeatColumn(double From, double To, IReadOnlyList<HeatCell?> Cells);

/// <summary>A heat map as SVG: rows from below to above, colours by powers of ten, with a colour bar below.</summary>
internal sealed class HeatMap
{
    private const double Width = 440;
    private const double Left = 84;
    private const double Right = 10;
    private const double Top = 26;
    private const double UnderPlot = 92;
    private const double TextHeight = 14;

    private readonly double _low;
    private readonly double _high;
    private readonly double _rowHeight;
    private readonly double _plotBottom;

    public HeatMap(string description, string xTitle, string yTitle, string colourTitle, Scale x, IReadOnlyList<string> rows, IReadOnlyList<HeatColumn> columns)
    {
        (Description, XTitle, YTitle, ColourTitle, X, Rows, Columns) = (description, xTitle, yTitle, colourTitle, x, rows, columns);
        (_low, _high) = LinearScale.Extent(Cells.Select(cell => cell.Value).Where(double.IsFinite));
        if (double.IsNaN(_low))
        {
            (_low, _high) = (-1, 1);
        }
        else if (_high - _low < 1)
        {
            double middle = (_low + _high) / 2;
            (_low, _high) = (middle - 0.5, middle + 0.5);
        }

        _rowHeight = Math.Clamp(216.0 / rows.Count, 1.2, 22);
        _plotBottom = Top + (_rowHeight * rows.Count);
    }

    /// <summary>What the map shows, in words.</summary>
    public string Description { get; }

    public string XTitle { get; }

    public string YTitle { get; }

    public string ColourTitle { get; }

    public Scale X { get; }

    /// <summary>Names of the rows, the lowest first.</summary>
    public IReadOnlyList<string> Rows { get; }

    public IReadOnlyList<HeatColumn> Columns { get; }

    private IEnumerable<HeatCell> Cells => Columns.SelectMany(column => column.Cells).OfType<HeatCell>();

    private double Height => _plotBottom + UnderPlot;

    public void Write(Markup page)
    {
        page.Open("svg", ("viewBox", $"0 0 {Width} {Coordinate(Height)}"), ("role", "img"), ("aria-label", Description), ("class", "chart heat"));
        WritePatterns(page);
        page.Element("text", YTitle, ("x", "2"), ("y", "13"), ("class", "title"));
        for (int row = 0; row < Rows.Count; row++)
        {
            WriteRow(page, row);
        }

        WriteRowNames(page);
        WriteAxis(page);
        WriteColourBar(page);
        page.CloseLine();
    }

    private static void WritePatterns(Markup page)
    {
        page.Open("defs");
        page.Open("pattern", ("id", "zero"), ("width", "4"), ("height", "4"), ("patternUnits", "userSpaceOnUse"));
        page.Empty("rect", ("width", "4"), ("height", "4"), ("class", "zero-back")).Empty("path", ("d", "M0 4L4 0"), ("class", "zero-front")).Close();
        page.Open("pattern", ("id", "broken"), ("width", "4"), ("height", "4"), ("patternUnits", "userSpaceOnUse"));
        page.Empty("rect", ("width", "4"), ("height", "4"), ("class", "broken-back")).Empty("path", ("d", "M0 0L4 4M0 4L4 0"), ("class", "broken-front")).Close();
        page.Close();
    }

    private double PixelX(double x) => Left + (X.Place(x) * (Width - Left - Right));

    private double PixelY(int row) => _plotBottom - ((row + 1) * _rowHeight);

    private void WriteRow(Markup page, int row)
    {
        page.Open("g", ("transform", $"translate(0 {Coordinate(PixelY(row))})"));
        // A little overlap hides the seams that rounding to pixels would leave.
        string height = Coordinate(_rowHeight + 0.2);
        foreach (HeatColumn column in Columns)
        {
            if (column.Cells[row] is { } cell)
            {
                double from = PixelX(column.From);
                double width = Math.Max(0.5, PixelX(column.To) - from + 0.2);
                page.Open("rect", ("x", Coordinate(from)), ("width", Coordinate(width)), ("height", height), ("class", ClassOf(cell.Value)));
                page.Element("title", cell.Title).Close();
            }
        }

        page.CloseLine();
    }

    private string ClassOf(double value) => value switch
    {
        double.NegativeInfinity => "zero",
        double.NaN => "broken",
        _ => ColourRamp.LevelClass((value - _low) / (_high - _low)),
    };

    private void WriteRowNames(Markup page)
    {
        // Evenly spread from the lowest; the top one always, and those too close below it not.
        int stride = (int)Math.Ceiling(TextHeight / _rowHeight);
        for (int row = 0; row < Rows.Count; row++)
        {
            if (row == Rows.Count - 1 || (row % stride == 0 && row + stride < Rows.Count))
            {
                string y = Coordinate(PixelY(row) + (_rowHeight / 2));
                page.Element("text", LineChart.Shorten(Rows[row], 12), ("x", Coordinate(Left - 6)), ("y", y), ("dy", "0.34em"), ("text-anchor", "end"));
            }
        }
    }

    private void WriteAxis(Markup page)
    {
        foreach (Tick tick in X.Ticks)
        {
            string x = Coordinate(Left + (tick.Position * (Width - Left - Right)));
            page.Empty("path", ("class", "axis"), ("d", $"M{x} {Coordinate(_plotBottom)}v4"));
            page.Element("text", tick.Label, ("x", x), ("y", Coordinate(_plotBottom + 17)), ("text-anchor", tick.Position > 0.97 ? "end" : "middle"));
        }

        page.Element("text", XTitle, ("x", Coordinate((Left + Width - Right) / 2)), ("y", Coordinate(_plotBottom + 34)), ("text-anchor", "middle"), ("class", "title"));
    }

    private void WriteColourBar(Markup page)
    {
        double top = _plotBottom + 58;
        (bool zeros, bool broken) = (Cells.Any(cell => double.IsNegativeInfinity(cell.Value)), Cells.Any(cell => double.IsNaN(cell.Value)));
        double end = Width - Right - (zeros ? 34 : 0) - (broken ? 58 : 0);
        page.Element("text", ColourTitle, ("x", Coordinate(Left)), ("y", Coordinate(top - 6)), ("class", "title"));
        double width = (end - Left) / ColourRamp.Levels;
        for (int i = 0; i < ColourRamp.Levels; i++)
        {
            page.Empty("rect", ("x", Coordinate(Left + (i * width))), ("y", Coordinate(top)), ("width", Coordinate(width + 0.2)), ("height", "10"), ("class", ColourRamp.LevelClass((i + 0.5) / ColourRamp.Levels)));
        }

        foreach (Tick tick in new LogScale(_low, _high).Ticks)
        {
            string x = Coordinate(Left + (tick.Position * (end - Left)));
            page.Empty("path", ("class", "axis"), ("d", $"M{x} {Coordinate(top + 10)}v4"));
            page.Element("text", tick.Label, ("x", x), ("y", Coordinate(top + 26)), ("text-anchor", "middle"));
        }

        if (zeros)
        {
            Key(page, end + 14, top, "zero", "0");
        }

        if (broken)
        {
            Key(page, end + (zeros ? 54 : 24), top, "broken", "NaN, ∞");
        }
    }

    private static void Key(Markup page, double x, double top, string name, string label)
    {
        page.Empty("rect", ("x", Coordinate(x)), ("y", Coordinate(top)), ("width", "18"), ("height", "10"), ("class", name));
        page.Element("text", label, ("x", Coordinate(x + 9)), ("y", Coordinate(top + 26)), ("text-anchor", "middle"));
    }
}
