using System.Globalization;
using System.Security;
using System.Text;

namespace Fathom.Dashboard.Pictures;

/// <summary>Draws as SVG, with the reader's own sans-serif font.</summary>
public sealed class SvgDrawing(int width, int height, string title) : IDrawing
{
    private readonly StringBuilder shapes = new();

    public void Rectangle(double x, double y, double width, double height, Rgb colour) =>
        // A hair wider than it is, so that neighbours leave no seam.
        shapes.Append(CultureInfo.InvariantCulture, $"<rect x=\"{x:0.##}\" y=\"{y:0.##}\" width=\"{width + 0.3:0.##}\" height=\"{height + 0.3:0.##}\" fill=\"{colour}\"/>\n");

    public void Line(IReadOnlyList<(double X, double Y)> points, Rgb colour, double width, double dash = 0)
    {
        string path = string.Join(' ', points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{point.X:0.##},{point.Y:0.##}")));
        string dashes = dash > 0 ? string.Create(CultureInfo.InvariantCulture, $" stroke-dasharray=\"{dash:0.##}\"") : "";
        shapes.Append(CultureInfo.InvariantCulture, $"<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width:0.##}\" stroke-linejoin=\"round\"{dashes}/>\n");
    }

    public void Text(string text, double x, double y, Rgb colour, Anchor anchor = Anchor.Start, int scale = 2, bool turned = false)
    {
        string turn = turned ? string.Create(CultureInfo.InvariantCulture, $" transform=\"rotate(-90 {x:0.##} {y:0.##})\"") : "";
        shapes.Append(CultureInfo.InvariantCulture, $"<text x=\"{x:0.##}\" y=\"{y:0.##}\" font-size=\"{8 * scale}\" fill=\"{colour}\" text-anchor=\"{anchor.ToString().ToLowerInvariant()}\"{turn}>{SecurityElement.Escape(text)}</text>\n");
    }

    /// <summary>The whole file.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" font-family=\"system-ui, Helvetica, Arial, sans-serif\" role=\"img\">\n<title>{SecurityElement.Escape(title)}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{shapes}</svg>\n");
}
