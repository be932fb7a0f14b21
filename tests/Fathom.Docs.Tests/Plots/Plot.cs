using System.Text;
using Fathom.Dashboard;
using Fathom.Dashboard.Charts;

namespace Fathom.Docs.Tests.Plots;

/// <summary>One line of a plot; a break is a point whose y is NaN.</summary>
/// <param name="Name">What the legend calls it.</param>
/// <param name="Points">In rising order of x.</param>
internal sealed record Curve(string Name, IReadOnlyList<(double X, double Y)> Points);

/// <summary>A small plot as an SVG file that suits a light and a dark page.</summary>
internal sealed class Plot
{
    private const double Width = 360;
    private const double Height = 220;
    private const double Left = 40;
    private const double Right = 12;
    private const double Top = 28;
    private const double Bottom = 34;

    /// <summary>One class per curve: colour and dash, so that colour isn't the only difference.</summary>
    private const string Style =
        """
        text{font:11px system-ui,sans-serif;fill:#57606a}path{fill:none}.g{stroke:#d8dee4}.z{stroke:#8c959f}
        .c0{stroke:#0969da;stroke-width:2}.c1{stroke:#bc4c00;stroke-width:2;stroke-dasharray:5 3}.m{fill:#bc4c00}
        @media(prefers-color-scheme:dark){text{fill:#9198a1}.g{stroke:#30363d}.z{stroke:#6e7681}.c0{stroke:#58a6ff}.c1{stroke:#f0883e}.m{fill:#f0883e}}
        """;

    private readonly LinearScale x;
    private readonly LinearScale y;
    private readonly (double Low, double High) rangeX;
    private readonly (double Low, double High) rangeY;

    /// <param name="rangeX">Ends of the x axis.</param>
    /// <param name="mostY">Ends of the y axis; it is shorter where no curve goes so far.</param>
    /// <param name="curves">One or two.</param>
    public Plot((double Low, double High) rangeX, (double Low, double High) mostY, params IReadOnlyList<Curve> curves)
    {
        (Curves, this.rangeX) = (curves, rangeX);
        (double low, double high) = LinearScale.Extent(curves.SelectMany(curve => curve.Points).Select(point => point.Y).Where(value => !double.IsNaN(value)).Append(0));
        (low, high) = (Math.Max(low, mostY.Low), Math.Min(high, mostY.High));
        double room = Math.Max(high - low, 1e-3) * 0.06;
        rangeY = (low == 0 ? 0 : low - room, high + room);
        x = new LinearScale(rangeX.Low, rangeX.High, ticks: 6);
        y = new LinearScale(rangeY.Low, rangeY.High);
    }

    public IReadOnlyList<Curve> Curves { get; }

    /// <summary>What the plot shows, in words.</summary>
    public required string Description { get; init; }

    public required string XTitle { get; init; }

    /// <summary>A point of the second curve that matters, with its name; null for none.</summary>
    public (double X, double Y, string Label)? Mark { get; init; }

    public string Write()
    {
        Markup svg = new();
        svg.Open("svg", ("xmlns", "http://www.w3.org/2000/svg"), ("viewBox", $"0 0 {Width} {Height}"), ("width", "360"), ("height", "220"), ("role", "img"), ("aria-label", Description));
        svg.Element("style", Style.ReplaceLineEndings("")).Text("\n");
        WriteAxes(svg);
        double legend = Left;
        for (int i = 0; i < Curves.Count; i++)
        {
            string style = $"c{i}";
            svg.Empty("path", ("class", style), ("d", Line(Curves[i]))).Text("\n");
            svg.Empty("path", ("class", style), ("d", $"M{At(legend)} 13h20"));
            svg.Element("text", Curves[i].Name, ("x", At(legend + 25)), ("y", "17")).Text("\n");
            legend += 40 + 6.2 * Curves[i].Name.Length;
        }
        WriteMark(svg);
        svg.CloseLine();
        return svg.ToString();
    }

    private double PixelX(double value) => Left + x.Place(value) * (Width - Left - Right);

    private double PixelY(double value) => Height - Bottom - y.Place(value) * (Height - Top - Bottom);

    private void WriteAxes(Markup svg)
    {
        foreach (Tick tick in y.Ticks)
        {
            string at = At(Height - Bottom - tick.Position * (Height - Top - Bottom));
            svg.Empty("path", ("class", tick.Label == "0" ? "z" : "g"), ("d", $"M{At(Left)} {at}H{At(Width - Right)}"));
            svg.Element("text", tick.Label, ("x", At(Left - 6)), ("y", at), ("dy", "0.34em"), ("text-anchor", "end")).Text("\n");
        }
        foreach (Tick tick in x.Ticks)
        {
            string at = At(Left + tick.Position * (Width - Left - Right));
            bool isZero = tick.Label == "0" && rangeX.Low < 0;
            svg.Empty("path", ("class", isZero ? "z" : "g"), ("d", $"M{at} {At(Top)}V{At(Height - Bottom)}"));
            svg.Element("text", tick.Label, ("x", at), ("y", At(Height - Bottom + 14)), ("text-anchor", "middle")).Text("\n");
        }
        svg.Element("text", XTitle, ("x", At((Left + Width - Right) / 2)), ("y", At(Height - 5)), ("text-anchor", "middle")).Text("\n");
    }

    private void WriteMark(Markup svg)
    {
        if (Mark is not { } mark)
        {
            return;
        }
        (double left, double top) = (PixelX(mark.X), PixelY(mark.Y));
        bool isRight = left > Width * 0.6;
        svg.Empty("circle", ("class", "m"), ("cx", At(left)), ("cy", At(top)), ("r", "3.5"));
        svg.Element("text", mark.Label, ("x", At(left + (isRight ? -7 : 7))), ("y", At(top - 7)), ("text-anchor", isRight ? "end" : null)).Text("\n");
    }

    /// <summary>The curve's path, interrupted where it leaves the plot.</summary>
    private string Line(Curve curve)
    {
        StringBuilder path = new();
        bool drawing = false;
        foreach ((double px, double py) in curve.Points)
        {
            bool inside = py >= rangeY.Low && py <= rangeY.High;
            if (inside)
            {
                path.Append(drawing ? 'L' : 'M').Append(At(PixelX(px))).Append(' ').Append(At(PixelY(py)));
            }
            drawing = inside;
        }
        return path.ToString();
    }

    private static string At(double pixels) => NumberText.Coordinate(pixels);
}
