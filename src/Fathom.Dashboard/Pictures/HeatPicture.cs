using System.Collections.Immutable;
using System.Globalization;

namespace Fathom.Dashboard.Pictures;

/// <summary>One axis of a picture of cells.</summary>
/// <param name="Label">What it shows, with its unit.</param>
/// <param name="Values">The values of the cells, rising; one or more.</param>
/// <param name="IsLogarithmic">Whether equal ratios are equally far apart.</param>
public sealed record PictureAxis(string Label, ImmutableArray<double> Values, bool IsLogarithmic)
{
    internal double Place(double value) => IsLogarithmic ? Math.Log10(value) : value;

    /// <summary>Borders of the cells in the axis' own measure: half-way between values, and as far beyond the outer ones.</summary>
    internal double[] Borders()
    {
        double[] places = [.. Values.Select(Place)];
        if (places.Length == 1)
        {
            return [places[0] - 0.5, places[0] + 0.5];
        }
        double[] borders = new double[places.Length + 1];
        for (int i = 1; i < places.Length; i++)
        {
            borders[i] = (places[i - 1] + places[i]) / 2;
        }
        borders[0] = places[0] - (borders[1] - places[0]);
        borders[^1] = places[^1] + (places[^1] - borders[^2]);
        return borders;
    }

    /// <summary>Values to write at the axis.</summary>
    internal IEnumerable<double> Ticks()
    {
        double[] borders = Borders();
        (double low, double high) = (borders[0], borders[^1]);
        if (Values.Length <= 6)
        {
            return Values;
        }
        if (!IsLogarithmic)
        {
            return Round(low, high);
        }
        double[] decades = [.. Enumerable.Range((int)Math.Ceiling(low), Math.Max(0, (int)Math.Floor(high) - (int)Math.Ceiling(low) + 1)).Select(exponent => Math.Pow(10, exponent))];
        return decades.Length >= 3 ? decades : [.. Enumerable.Range((int)Math.Floor(low), (int)Math.Ceiling(high) - (int)Math.Floor(low) + 1)
            .SelectMany(exponent => new[] { 1.0, 2, 5 }.Select(digit => digit * Math.Pow(10, exponent))).Where(value => Place(value) >= low && Place(value) <= high)];
    }

    /// <summary>Multiples of 1, 2 or 5 times a power of ten, 4 to 9 of them.</summary>
    internal static IEnumerable<double> Round(double low, double high)
    {
        double span = high - low, unit = Math.Pow(10, Math.Floor(Math.Log10(span / 4)));
        double step = new[] { 1.0, 2, 5, 10 }.Select(digit => digit * unit).Last(candidate => span / candidate >= 3.5);
        for (double tick = Math.Ceiling(low / step - 1e-9); tick * step <= high + 1e-9 * step; tick++)
        {
            yield return tick * step;
        }
    }
}

/// <summary>A line over the cells.</summary>
/// <param name="Label">For the legend.</param>
/// <param name="Points">Corners in the axes' values; one that is not finite interrupts the line.</param>
/// <param name="IsDashed">Whether it is dashed.</param>
public sealed record PictureCurve(string Label, ImmutableArray<(double X, double Y)> Points, bool IsDashed);

/// <summary>Cells in colour over two axes, with a colour bar, lines and a legend.</summary>
/// <param name="Title">First line.</param>
/// <param name="Subtitle">Second line, small.</param>
/// <param name="X">Axis to the right.</param>
/// <param name="Y">Axis upwards.</param>
/// <param name="Values">Value of cell (row of Y, column of X), row by row; NaN for one that is not known.</param>
/// <param name="Colours">Which colours.</param>
/// <param name="Low">Value of the first colour.</param>
/// <param name="High">Value of the last colour.</param>
/// <param name="BarLabel">What the colours show, with the unit.</param>
/// <param name="Curves">Lines over the cells.</param>
public sealed record HeatPicture(string Title, string Subtitle, PictureAxis X, PictureAxis Y, ImmutableArray<double> Values,
    ColourScale Colours, double Low, double High, string BarLabel, ImmutableArray<PictureCurve> Curves)
{
    private const int Width = 960, Height = 720, Left = 96, Top = 84, PlotWidth = 700, PlotHeight = 500, Bar = 26, BarGap = 28, Letter = 12;

    private static readonly Rgb Unknown = new(200, 200, 200);

    /// <summary>The picture as a PNG file.</summary>
    public byte[] ToPng()
    {
        PngDrawing drawing = new(Width, Height);
        Draw(drawing);
        return drawing.ToPng();
    }

    /// <summary>The picture as SVG.</summary>
    public string ToSvg()
    {
        SvgDrawing drawing = new(Width, Height, Title);
        Draw(drawing);
        return drawing.ToString();
    }

    private void Draw(IDrawing drawing)
    {
        drawing.Text(Fitting(Title, Width - Left - 20, Letter), Left, 36, Rgb.Ink);
        drawing.Text(Fitting(Subtitle, Width - Left - 20, Letter / 2), Left, 62, Rgb.Grey, scale: 1);
        DrawCells(drawing);
        DrawCurves(drawing);
        DrawAxes(drawing);
        DrawBar(drawing);
        DrawLegend(drawing);
    }

    private void DrawCells(IDrawing drawing)
    {
        double[] columns = [.. X.Borders().Select(ToX)], rows = [.. Y.Borders().Select(ToY)];
        for (int row = 0; row < Y.Values.Length; row++)
        {
            for (int column = 0; column < X.Values.Length; column++)
            {
                double value = Values[row * X.Values.Length + column];
                Rgb colour = double.IsNaN(value) ? Unknown : Colours.At((value - Low) / (High - Low));
                drawing.Rectangle(columns[column], rows[row + 1], columns[column + 1] - columns[column], rows[row] - rows[row + 1], colour);
            }
        }
    }

    private void DrawCurves(IDrawing drawing)
    {
        foreach (PictureCurve curve in Curves)
        {
            foreach (List<(double X, double Y)> piece in Pieces(curve))
            {
                drawing.Line(piece, Rgb.White, 5.5);
                drawing.Line(piece, Rgb.Ink, 2.5, curve.IsDashed ? 8 : 0);
            }
        }
    }

    /// <summary>The parts of a line that lie within the plot, cut off at its border.</summary>
    private IEnumerable<List<(double X, double Y)>> Pieces(PictureCurve curve)
    {
        List<(double X, double Y)> piece = [];
        for (int i = 0; i + 1 < curve.Points.Length; i++)
        {
            (double X, double Y) from = (ToX(X.Place(curve.Points[i].X)), ToY(Y.Place(curve.Points[i].Y)));
            (double X, double Y) to = (ToX(X.Place(curve.Points[i + 1].X)), ToY(Y.Place(curve.Points[i + 1].Y)));
            (double X, double Y)[]? inside = Clip(from, to);
            if (inside is null || (piece.Count > 0 && piece[^1] != inside[0]))
            {
                if (piece.Count > 1)
                {
                    yield return piece;
                }
                piece = [];
            }
            if (inside is not null)
            {
                piece.AddRange(piece.Count == 0 ? inside : inside[1..]);
            }
        }
        if (piece.Count > 1)
        {
            yield return piece;
        }
    }

    /// <summary>Liang and Barsky's way of cutting a stretch at a rectangle; null if nothing is left.</summary>
    private static (double X, double Y)[]? Clip((double X, double Y) from, (double X, double Y) to)
    {
        if (!double.IsFinite(from.X + from.Y + to.X + to.Y))
        {
            return null;
        }
        double first = 0, last = 1, dx = to.X - from.X, dy = to.Y - from.Y;
        foreach ((double step, double room) in ((double, double)[])[(-dx, from.X - Left), (dx, Left + PlotWidth - from.X), (-dy, from.Y - Top), (dy, Top + PlotHeight - from.Y)])
        {
            if (step == 0 ? room < 0 : (step < 0 ? room / step > last : room / step < first))
            {
                return null;
            }
            if (step < 0)
            {
                first = Math.Max(first, room / step);
            }
            else if (step > 0)
            {
                last = Math.Min(last, room / step);
            }
        }
        return first > last ? null : [(from.X + first * dx, from.Y + first * dy), (from.X + last * dx, from.Y + last * dy)];
    }

    private void DrawAxes(IDrawing drawing)
    {
        const double right = Left + PlotWidth, bottom = Top + PlotHeight;
        drawing.Line([(Left, Top), (right, Top), (right, bottom), (Left, bottom), (Left, Top)], Rgb.Ink, 1);
        foreach (double tick in X.Ticks())
        {
            double x = ToX(X.Place(tick));
            if (x is >= Left - 0.5 and <= right + 0.5)
            {
                drawing.Line([(x, bottom), (x, bottom + 7)], Rgb.Ink, 1.5);
                drawing.Text(Figure(tick), x, bottom + 28, Rgb.Ink, Anchor.Middle);
            }
        }
        foreach (double tick in Y.Ticks())
        {
            double y = ToY(Y.Place(tick));
            if (y is >= Top - 0.5 and <= bottom + 0.5)
            {
                drawing.Line([(Left - 7, y), (Left, y)], Rgb.Ink, 1.5);
                drawing.Text(Figure(tick), Left - 12, y + 7, Rgb.Ink, Anchor.End);
            }
        }
        drawing.Text(X.Label, Left + PlotWidth / 2.0, bottom + 58, Rgb.Ink, Anchor.Middle);
        drawing.Text(Y.Label, 24, Top + PlotHeight / 2.0, Rgb.Ink, Anchor.Middle, turned: true);
    }

    private void DrawBar(IDrawing drawing)
    {
        const double x = Left + PlotWidth + BarGap;
        for (int i = 0; i < PlotHeight; i += 2)
        {
            drawing.Rectangle(x, Top + PlotHeight - i - 2, Bar, 2, Colours.At((i + 1.0) / PlotHeight));
        }
        drawing.Line([(x, Top), (x + Bar, Top), (x + Bar, Top + PlotHeight), (x, Top + PlotHeight), (x, Top)], Rgb.Ink, 1);
        foreach (double tick in PictureAxis.Round(Low, High))
        {
            double y = Top + PlotHeight * (1 - (tick - Low) / (High - Low));
            drawing.Line([(x + Bar, y), (x + Bar + 6, y)], Rgb.Ink, 1.5);
            drawing.Text(Figure(tick), x + Bar + 10, y + 7, Rgb.Ink);
        }
        drawing.Text(BarLabel, x + Bar + 78, Top + PlotHeight / 2.0, Rgb.Ink, Anchor.Middle, turned: true);
    }

    private void DrawLegend(IDrawing drawing)
    {
        double x = Left;
        const double y = Height - 44;
        List<(string Label, Action<double> Sign)> entries = [.. Curves.Select(curve => (curve.Label, (Action<double>)(at => drawing.Line([(at, y - 6), (at + 44, y - 6)], Rgb.Ink, 2.5, curve.IsDashed ? 8 : 0))))];
        if (Values.Any(double.IsNaN))
        {
            entries.Add(("not run", at => drawing.Rectangle(at + 14, y - 14, 16, 16, Unknown)));
        }
        foreach ((string label, Action<double> sign) in entries)
        {
            sign(x);
            drawing.Text(label, x + 54, y, Rgb.Ink);
            x += 54 + label.Length * Letter + 30;
        }
    }

    private double ToX(double place)
    {
        double[] borders = X.Borders();
        return Left + PlotWidth * (place - borders[0]) / (borders[^1] - borders[0]);
    }

    private double ToY(double place)
    {
        double[] borders = Y.Borders();
        return Top + PlotHeight * (1 - (place - borders[0]) / (borders[^1] - borders[0]));
    }

    private static string Fitting(string text, int room, int letter) => text.Length * letter <= room ? text : text[..Math.Max(1, room / letter - 1)] + "…";

    private static string Figure(double value)
    {
        double size = Math.Abs(value);
        return value == 0 || size < 1e-12 ? "0"
            : size is >= 1e-3 and < 1e5 ? value.ToString("0.####", CultureInfo.InvariantCulture).Replace('-', '−')
            : value.ToString("0.#e0", CultureInfo.InvariantCulture).Replace('-', '−');
    }
}
