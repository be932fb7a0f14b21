namespace Fathom.Dashboard.Pictures;

/// <summary>Where a text lies relative to its point.</summary>
public enum Anchor
{
    Start,
    Middle,
    End,
}

/// <summary>What a picture is drawn on; lengths in pixels, y downwards.</summary>
public interface IDrawing
{
    void Rectangle(double x, double y, double width, double height, Rgb colour);

    /// <param name="points">The corners of a line.</param>
    /// <param name="colour">Its colour.</param>
    /// <param name="width">Its thickness.</param>
    /// <param name="dash">Length of a dash and of the gap behind it; 0 for none.</param>
    void Line(IReadOnlyList<(double X, double Y)> points, Rgb colour, double width, double dash = 0);

    /// <param name="text">One line.</param>
    /// <param name="x">The point it is anchored at.</param>
    /// <param name="y">The line that its letters stand on; if it is turned, the line that they lie on.</param>
    /// <param name="colour">Its colour.</param>
    /// <param name="anchor">Which part of it lies at the point.</param>
    /// <param name="scale">Size of a dot; a letter is 7 dots high and 6 from the next.</param>
    /// <param name="turned">Whether it runs upwards.</param>
    void Text(string text, double x, double y, Rgb colour, Anchor anchor = Anchor.Start, int scale = 2, bool turned = false);
}
