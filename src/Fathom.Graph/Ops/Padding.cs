using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Fathom.Graphs.Ops;

/// <summary>
/// What surrounds an image before a kernel runs over it. <see cref="Valid"/> (the default): nothing.
/// <see cref="Same"/>: as much as makes the output ⌈input / stride⌉ large, shared out evenly, and an odd one at the end, as
/// Keras and (for stride 1) PyTorch do it. A number: so many on each side; two: above and below, left and right. Text:
/// <c>valid</c>, <c>same</c>, <c>1</c>, <c>[1, 2]</c>.
/// </summary>
public readonly record struct Padding : IParsable<Padding>, IFormattable
{
    public static readonly Padding Valid = default;

    public static readonly Padding Same = new(true, 0, 0);

    private Padding(bool isSame, int height, int width) => (IsSame, Height, Width) = (isSame, height, width);

    public Padding(int height, int width)
        : this(false, height, width)
    {
    }

    public bool IsSame { get; }

    /// <summary>Rows above and below, where it is a number.</summary>
    public int Height { get; }

    /// <summary>Columns on the left and on the right, where it is a number.</summary>
    public int Width { get; }

    public static implicit operator Padding(int extent) => new(extent, extent);

    public static implicit operator Padding((int Height, int Width) extents) => new(extents.Height, extents.Width);

    public static Padding Parse(string s, IFormatProvider? provider) =>
        TryParse(s, provider, out Padding padding) ? padding : throw new FormatException($"'{s}' is no padding; valid, same, a number or two in brackets, such as [1, 2], would be");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out Padding result)
    {
        result = s == "same" ? Same : Valid;
        if (s is "same" or "valid")
        {
            return true;
        }
        bool read = WholeNumbers.TryParse(s, out int[] numbers) && numbers.Length <= 2;
        result = read ? new Padding(numbers[0], numbers[^1]) : default;
        return read;
    }

    public override string ToString() => ToString(null, null);

    public string ToString(string? format, IFormatProvider? formatProvider) =>
        IsSame ? "same" : this == Valid ? "valid" : WholeNumbers.Write(Height, Width);
}
