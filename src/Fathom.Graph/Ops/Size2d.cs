using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Height and width of a kernel, a stride or a dilation. A number stands for a square. The default is 1 by 1. Text: a
/// number, or two in brackets, height first: <c>[3, 5]</c>.
/// </summary>
public readonly record struct Size2d : IParsable<Size2d>, IFormattable
{
    // Less one, so that the default value of the type is the default size.
    private readonly int moreRows, moreColumns;

    public Size2d(int height, int width) => (moreRows, moreColumns) = (height - 1, width - 1);

    public int Height => moreRows + 1;

    public int Width => moreColumns + 1;

    internal bool Positive => Height >= 1 && Width >= 1;

    public static implicit operator Size2d(int extent) => new(extent, extent);

    public static implicit operator Size2d((int Height, int Width) extents) => new(extents.Height, extents.Width);

    public static Size2d Parse(string s, IFormatProvider? provider) =>
        TryParse(s, provider, out Size2d size) ? size : throw new FormatException($"'{s}' is no size; a number or two in brackets, such as 3 or [3, 5], would be");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out Size2d result)
    {
        bool read = WholeNumbers.TryParse(s, out int[] numbers) && numbers.Length <= 2;
        result = read ? new Size2d(numbers[0], numbers[^1]) : default;
        return read;
    }

    public override string ToString() => ToString(null, null);

    public string ToString(string? format, IFormatProvider? formatProvider) => WholeNumbers.Write(Height, Width);
}

/// <summary>A whole number, or several in brackets.</summary>
internal static class WholeNumbers
{
    public static bool TryParse(string? text, out int[] numbers)
    {
        numbers = [];
        string trimmed = text?.Trim() ?? "";
        bool isList = trimmed.StartsWith('[') && trimmed.EndsWith(']');
        string[] parts = isList ? trimmed[1..^1].Split(',') : [trimmed];
        int[] read = new int[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!int.TryParse(parts[i].Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out read[i]))
            {
                return false;
            }
        }
        numbers = read;
        return true;
    }

    public static string Write(int first, int second) => first == second
        ? first.ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"[{first}, {second}]");
}
